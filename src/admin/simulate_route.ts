/**
 * `POST /simulate?delete=…&root=…`: what would change if the policies in the body were applied, as JSON
 * (`docs/simulate.md`). The body is YAML, as for `kubectl apply`. Status 200 with the answer, 400 where the policies cannot
 * be used.
 */
import { ConfigError } from "../config/error.ts";
import type { IstioObject } from "../mesh/istio_policies/objects.ts";
import { readObjects } from "../mesh/istio_policies/read.ts";
import { DEFAULT_ROOT, gatherChanges, parseDeletion, type PolicyChanges } from "../mesh/simulate/policy_changes.ts";
import type { ChangeList, SimulationResult } from "../mesh/simulate/result.ts";
import type { TurnClock } from "../net/clock.ts";
import type { AnyResponse, HttpHandler } from "./http_connection.ts";
import { NO_BODY } from "./request_body.ts";
import { plainText } from "./response.ts";
import { streamed } from "./streamed.ts";

/** Simulates changes, by the workers. Rejects with `ConfigError` where they cannot be applied. */
export type Simulate = (changes: PolicyChanges) => Promise<SimulationResult>;

/** Bytes of a body. */
const BODY_MAX = 1 << 20;
const DELETIONS_MAX = 1_000;
const JSON_TYPE = [["content-type", "application/json"]] as const;

const USAGE = `usage: POST /simulate, with AuthorizationPolicies and PeerAuthentications in YAML as the body

delete: NAMESPACE/NAME of an AuthorizationPolicy, or PeerAuthentication/NAMESPACE/NAME; may be given several times
root:   the root namespace of the mesh, ${DEFAULT_ROOT} where it is not given
`;

/** The handler. It runs one simulation at a time. */
export function simulateRoute(simulate: Simulate, clock: Pick<TurnClock, "turn">): HttpHandler {
  let isRunning = false;
  return async ({ method, query }, body = NO_BODY): Promise<AnyResponse> => {
    if (method !== "POST") return plainText(405, USAGE);
    if (isRunning) return plainText(503, "a simulation is running already, try again when it has ended\n");
    isRunning = true;
    try {
      const bytes = await body.read(BODY_MAX);
      if (typeof bytes === "string") return mistake(bytes);
      const changes = await readChanges(new TextDecoder().decode(bytes), new URLSearchParams(query), clock);
      return streamed(JSON_TYPE, piecesOf(await simulate(changes)), () => {});
    } catch (error) {
      if (error instanceof ConfigError) return mistake(error.message);
      throw error;
    } finally {
      isRunning = false;
    }
  };
}

function mistake(error: string): AnyResponse {
  return { status: 400, headers: JSON_TYPE, body: `${JSON.stringify({ error }, null, 2)}\n` };
}

async function readChanges(
  text: string,
  parameters: URLSearchParams,
  clock: Pick<TurnClock, "turn">,
): Promise<PolicyChanges> {
  const root = parameters.get("root") || DEFAULT_ROOT;
  const deletions = parameters.getAll("delete").slice(0, DELETIONS_MAX + 1).map((each) => {
    const deletion = parseDeletion(each);
    if (deletion === null) throw new ConfigError(`cannot delete "${each}": write NAMESPACE/NAME of a policy`);
    return deletion;
  });
  if (deletions.length > DELETIONS_MAX) throw new ConfigError(`more than ${DELETIONS_MAX} policies to delete`);
  const objects: IstioObject[] = [];
  for (const some of readObjects(text, "policies", root)) {
    objects.push(...some);
    await clock.turn();
  }
  if (objects.length + deletions.length === 0) throw new ConfigError("there are no policies, and none to delete");
  return gatherChanges(objects, deletions, root);
}

/** The document, made while it is sent. */
async function* piecesOf(result: SimulationResult): AsyncGenerator<string, void, undefined> {
  const { applied, assumptions, enumerated, connections, flows, pairs } = result;
  yield `{"applied": ${JSON.stringify(applied)},\n"assumptions": ${JSON.stringify(assumptions)},\n`;
  yield `"enumerated": ${JSON.stringify(enumerated)}`;
  for (const [name, list] of Object.entries({ connections, flows, pairs })) {
    yield `,\n"${name}": `;
    yield* list === null ? ["null"] : listPieces(list);
  }
  yield "}\n";
}

function* listPieces({ changes, ...figures }: ChangeList): Generator<string, void, undefined> {
  yield `${JSON.stringify(figures).slice(0, -1)}, "changes": [`;
  for (const [i, change] of changes.entries()) yield `${i === 0 ? "\n" : ",\n"}${JSON.stringify(change)}`;
  yield "]}";
}

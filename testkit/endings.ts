/**
 * Runs the scripts of `tests/fixtures/endings.c` between two pods, and within the server's pod, where a connection
 * passes no proxy, and compares what both ends of each connection see.
 */
import { strict as assert } from "node:assert";
import { isDeepStrictEqual } from "node:util";
import type { Namespace } from "../lab/namespace.ts";
import { testNeeding } from "../lab/needs.ts";
import { Program, run } from "../lab/program.ts";
import type { AppRoute } from "./application_routes.ts";
import type { AppPods } from "./applications.ts";

const SOURCE = new URL("../tests/fixtures/endings.c", import.meta.url).pathname;
/** The port of the first script; each further script has the next one. */
const PORT = 7300;

/** What client and server report, in order, separated by commas. */
export interface Seen {
  readonly client: string;
  readonly server: string;
}

/** One way in which a client and a server end a connection. */
export interface Ending {
  readonly name: string;
  /** Scripts. The server's script `absent` means that nobody listens. */
  readonly client: string;
  readonly server: string;
  /** Where it differs from a direct connection, although the proxies are ours. */
  readonly differs?: {
    readonly seen: Seen;
    readonly why: string;
  };
  /** Cases in which a Rust ztunnel differs in its own way. */
  readonly special?: Special;
}

/**
 * `dial`: the dial of the server's proxy fails or may fail. `early`: the client resets while the tunnel is being set up.
 * `urgent`: one side sends urgent data.
 */
type Special = "dial" | "early" | "urgent";

/** What the ends of a connection may see through proxies. */
interface Expected {
  readonly allowed: readonly Seen[];
  /** The reason of a difference from a direct connection. */
  readonly why?: string;
}

/** Returns what may be seen, given what is seen with a direct connection. */
export type Expectation = (ending: Ending, direct: Seen) => Expected;

/** Through our proxies: as with a direct connection, except for {@link Ending.differs}. */
export const AS_DIRECT: Expectation = ({ differs }, direct) =>
  differs === undefined ? { allowed: [direct] } : { allowed: [differs.seen], why: differs.why };

/** Registers the test of a route: all endings, one step each. Without a compiler it is skipped. */
export function testEndings(route: AppRoute, endings: readonly Ending[], expectation: Expectation): void {
  const needs = { ...route.needs, packages: [...route.needs.packages ?? [], "cc"] as const };
  testNeeding(needs, `endings of connections, ${route.title}`, async (t) => {
    await using pods = await route.build();
    const executable = await compileEndings(pods);
    const direct = await play(pods, executable, endings, pods.server);
    const mesh = await play(pods, executable, endings, pods.client);
    for (const [number, ending] of endings.entries()) {
      const { allowed, why } = expectation(ending, direct[number]!);
      await t.step(why === undefined ? ending.name : `${ending.name}; known difference: ${why}`, () => {
        const equal = allowed.find((each) => isDeepStrictEqual(mesh[number], each));
        assert.deepEqual(mesh[number], equal ?? allowed[0]);
      });
    }
  });
}

/** Returns the path of the executable, which is removed with the pods. */
export async function compileEndings({ folder }: AppPods): Promise<string> {
  const executable = `${folder}/endings`;
  await run("cc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", executable, SOURCE);
  return executable;
}

/** All cases with the client in the pod `from`, one after the other. */
export async function play(
  { server, ip }: AppPods,
  executable: string,
  endings: readonly Ending[],
  from: Namespace,
): Promise<Seen[]> {
  const start = (where: Namespace, args: readonly string[]) => new Program(executable, { args, namespace: where.name });
  await using serving = start(server, ["serve", `${PORT}`, ...endings.map(({ server }) => server)]);
  await serving.line(/^listening$/);
  await using calling = start(from, ["call", ip, `${PORT}`, ...endings.map(({ client }) => client)]);
  const seen: Seen[] = [];
  for (const [number, { server }] of endings.entries()) {
    const client = await seenBy(calling, number);
    seen.push({ client, server: server === "absent" ? "" : await seenBy(serving, number) });
  }
  return seen;
}

async function seenBy(side: Program, number: number): Promise<string> {
  await side.line(new RegExp(`^${number} over$`));
  const own = side.printed.filter((line) => line.startsWith(`${number} `)).map((line) => line.replace(/^\d+ /, ""));
  return own.filter((words) => words !== "over").join(", ");
}

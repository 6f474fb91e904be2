/**
 * `/explain?from=…&to=…`: where a connection goes and what decides it, as JSON (`mesh/explain/explanation.ts`).
 * `/explain?id=…`: what the id of a decision stands for (`mesh/explain/decision.ts`). Status 200 with an answer, 400 with
 * an error where the question cannot be answered.
 */
import type { ExplainAnswer, ExplainQuestion } from "../mesh/explain/explanation.ts";
import type { Decisions } from "./decisions_route.ts";
import type { HttpHandler } from "./http_connection.ts";
import { plainText } from "./response.ts";

/** Answers a question, by a worker. */
export type Explain = (question: ExplainQuestion) => Promise<ExplainAnswer>;

const USAGE = `
usage: GET /explain?from=<workload>&to=<target>
       GET /explain?id=<decision>

from: namespace/name, uid or address of a workload
to:   ip:port, [ipv6]:port, hostname:port or namespace/service:port
id:   decision.id of a log line or of a connection
`;

/**
 * The handler. Questions are answered one at a time, as an answer may take milliseconds of a worker in a large mesh.
 */
export function explainRoute(explain: Explain, decisions: Decisions): HttpHandler {
  let last: Promise<unknown> = Promise.resolve();
  return async ({ query }) => {
    const parameters = new URLSearchParams(query);
    const id = parameters.getAll("id").at(-1);
    if (id !== undefined) {
      const rows = last.then(() => decisions(id));
      last = rows.catch(() => {});
      const [row] = await rows;
      return row === undefined ? asJson(400, "error", unknownDecision(id)) : asJson(200, "decision", row);
    }
    const [from, to] = [parameters.getAll("from").at(-1), parameters.getAll("to").at(-1)];
    if (from === undefined || to === undefined) return plainText(400, `from and to are needed\n${USAGE}`);
    const answer = last.then(() => explain({ from, to }));
    last = answer.catch(() => {});
    const answered = await answer;
    return answered.kind === "explanation"
      ? asJson(200, answered.kind, answered.explanation)
      : asJson(400, answered.kind, answered.error);
  };
}

function unknownDecision(id: string) {
  const message = `no decision "${id.slice(0, 100)}" is known: its policy is not in the mesh of this proxy, or was ` +
    "removed long ago";
  return { code: "UNKNOWN_DECISION", message, candidates: [] };
}

function asJson(status: number, kind: ExplainAnswer["kind"] | "decision", body: unknown) {
  return {
    status,
    headers: [["content-type", "application/json"]] as const,
    body: `${JSON.stringify({ [kind]: body }, null, 2)}\n`,
  };
}

/**
 * `/explain?from=…&to=…`: where a connection goes and what decides it, as JSON (`mesh/explain/explanation.ts`). Status
 * 200 with an explanation, 400 with an error where the question cannot be answered.
 */
import type { ExplainAnswer, ExplainQuestion } from "../mesh/explain/explanation.ts";
import type { HttpHandler } from "./http_connection.ts";
import { plainText } from "./response.ts";

/** Answers a question, by a worker. */
export type Explain = (question: ExplainQuestion) => Promise<ExplainAnswer>;

const USAGE = `
usage: GET /explain?from=<workload>&to=<target>

from: namespace/name, uid or address of a workload
to:   ip:port, [ipv6]:port, hostname:port or namespace/service:port
`;

/**
 * The handler. Questions are answered one at a time, as an answer may take milliseconds of a worker in a large mesh.
 */
export function explainRoute(explain: Explain): HttpHandler {
  let last: Promise<unknown> = Promise.resolve();
  return async ({ query }) => {
    const parameters = new URLSearchParams(query);
    const [from, to] = [parameters.getAll("from").at(-1), parameters.getAll("to").at(-1)];
    if (from === undefined || to === undefined) return plainText(400, `from and to are needed\n${USAGE}`);
    const answer = last.then(() => explain({ from, to }));
    last = answer.catch(() => {});
    return asJson(await answer);
  };
}

function asJson(answer: ExplainAnswer) {
  const body = answer.kind === "explanation" ? answer.explanation : answer.error;
  return {
    status: answer.kind === "explanation" ? 200 : 400,
    headers: [["content-type", "application/json"]] as const,
    body: `${JSON.stringify({ [answer.kind]: body }, null, 2)}\n`,
  };
}

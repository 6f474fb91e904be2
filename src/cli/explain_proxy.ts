/** Explanations by a running proxy, or by the dump of a proxy that has no `/explain` (an older or the native one). */
import type { DecisionRow } from "../mesh/explain/decision.ts";
import type { ExplainAnswer, ExplainError, ExplainQuestion } from "../mesh/explain/explanation.ts";
import { askDump } from "./explain_dump.ts";
import type { Fetched, Terminal } from "./terminal.ts";

/** `admin`: `host:port`. Throws with the cure where nothing answers there. */
export async function askProxy(
  question: ExplainQuestion,
  admin: string,
  { fetch }: Pick<Terminal, "fetch">,
): Promise<ExplainAnswer> {
  const query = new URLSearchParams({ from: question.from, to: question.to });
  const { status, body } = await request(admin, `/explain?${query}`, fetch);
  if (status === 404) return askDump(question, await dumpOf(admin, fetch), `http://${admin}/config_dump`);
  const answer = status === 200 || status === 400 ? answerIn(body) : null;
  if (answer === null) throw new Error(`the proxy at ${admin} answers with status ${status}: ${body.trim()}`);
  return answer;
}

/** What the id of a decision stands for. Throws with the cure where nothing answers, or the proxy does not know it. */
export async function askProxyDecision(
  id: string,
  admin: string,
  { fetch }: Pick<Terminal, "fetch">,
): Promise<DecisionRow> {
  const { status, body } = await request(admin, `/explain?${new URLSearchParams({ id })}`, fetch);
  const answer = parsed(body);
  if (status === 200 && answer.decision !== undefined) return answer.decision as DecisionRow;
  const message = (answer.error as ExplainError | undefined)?.message;
  throw new Error(message ?? `the proxy at ${admin} answers with status ${status}: ${body.trim()}`);
}

async function dumpOf(admin: string, fetch: Terminal["fetch"]): Promise<string> {
  const { status, body } = await request(admin, "/config_dump", fetch);
  if (status !== 200) throw new Error(`the proxy at ${admin} answers with status ${status} to /config_dump`);
  return body;
}

async function request(admin: string, path: string, fetch: Terminal["fetch"]): Promise<Fetched> {
  try {
    return await fetch(`http://${admin}${path}`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `cannot ask the proxy at ${admin}: ${reason}\n` +
        `Run this where the proxy runs (kubectl exec), forward its admin port, or save its /config_dump and use --dump`,
    );
  }
}

/** Null: this is not an explanation. */
function answerIn(text: string): ExplainAnswer | null {
  const { explanation, error } = parsed(text);
  if (explanation !== undefined) return { kind: "explanation", explanation } as ExplainAnswer;
  return error === undefined ? null : { kind: "error", error } as ExplainAnswer;
}

/** Nothing where the text is not JSON: the caller shows it as it is. */
function parsed(
  text: string,
): { readonly explanation?: unknown; readonly decision?: unknown; readonly error?: unknown } {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

/** Simulations by a running proxy. */
import { readObjects } from "../mesh/istio_policies/read.ts";
import type { SimulationResult } from "../mesh/simulate/result.ts";
import type { SimulateQuestion } from "./simulate_question.ts";
import type { Fetched, Terminal } from "./terminal.ts";

/** `admin`: `host:port`. Throws with the cure where nothing answers there, and `ConfigError` for mistakes in the files. */
export async function simulateProxy(
  { files, deletions, root }: SimulateQuestion,
  admin: string,
  terminal: Pick<Terminal, "post">,
): Promise<SimulationResult> {
  // Read here first, so that mistakes are reported with the names of files.
  for (const { text, name } of files) for (const _ of readObjects(text, name, root));
  const query = new URLSearchParams([["root", root], ...deletions.map((each) => ["delete", each])]);
  const body = files.map(({ text }) => text).join("\n---\n");
  const { status, body: answer } = await ask(admin, `/simulate?${query}`, body, terminal);
  if (status === 200) return JSON.parse(answer);
  if (status === 404) {
    throw new Error(
      `the proxy at ${admin} has no /simulate, as it is another or an older proxy: save its /config_dump and use --dump`,
    );
  }
  throw new Error(
    status === 400 ? errorIn(answer) : `the proxy at ${admin} answers with status ${status}: ${answer.trim()}`,
  );
}

async function ask(admin: string, path: string, body: string, { post }: Pick<Terminal, "post">): Promise<Fetched> {
  try {
    return await post(`http://${admin}${path}`, body);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `cannot ask the proxy at ${admin}: ${reason}\n` +
        `Run this where the proxy runs (kubectl exec), forward its admin port, or save its /config_dump and use --dump`,
    );
  }
}

function errorIn(answer: string): string {
  try {
    return String((JSON.parse(answer) as { error?: unknown }).error ?? answer);
  } catch {
    return answer.trim();
  }
}

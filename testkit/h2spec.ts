/** The conformance test for HTTP/2, built from source once and kept. Needs `testNeeding({ go: true }, …)`. */
import { existsSync } from "node:fs";

/** As the Go module proxy knows it. */
const MODULE = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible";

/** Path of the program. Throws with the output of the build where that fails. */
export async function h2specProgram(): Promise<string> {
  const cache = Deno.env.get("XDG_CACHE_HOME") || `${Deno.env.get("HOME")}/.cache`;
  const folder = `${cache}/ztunnel-build/h2spec-2.2.1`;
  const program = `${folder}/h2spec`;
  if (existsSync(program)) return program;
  // `go install` renames what it has built into place, so several at once do no harm.
  const build = new Deno.Command("go", { args: ["install", MODULE], env: { GOBIN: folder } });
  const { success, stderr } = await build.output();
  if (!success) throw new Error(`h2spec cannot be built:\n${new TextDecoder().decode(stderr)}`);
  return program;
}

/** h2spec, a conformance test for HTTP/2, built from source and cached. Needs `testNeeding({ go: true }, …)`. */
import { existsSync } from "node:fs";

/** Path and version for the Go module proxy. */
const MODULE = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible";

/** Builds the program if it is not cached, and returns its path. Throws with the build's output if that fails. */
export async function h2specProgram(): Promise<string> {
  const cache = Deno.env.get("XDG_CACHE_HOME") || `${Deno.env.get("HOME")}/.cache`;
  const folder = `${cache}/ztunnel-build/h2spec-2.2.1`;
  const program = `${folder}/h2spec`;
  if (existsSync(program)) return program;
  // Concurrent builds are safe: `go install` renames the finished program into place.
  const build = new Deno.Command("go", { args: ["install", MODULE], env: { GOBIN: folder } });
  const { success, stderr } = await build.output();
  if (!success) throw new Error(`h2spec cannot be built:\n${new TextDecoder().decode(stderr)}`);
  return program;
}

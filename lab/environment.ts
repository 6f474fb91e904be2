/** What a program of ours needs of this process's environment to start. */
import { inheritedEnvironment as ofThisProcess } from "./child.ts";

/** The runtime does not look for a newer one: where DNS is captured that would be a question to the proxy under test. */
const QUIET = { DENO_NO_UPDATE_CHECK: "1" };

export function inheritedEnvironment(): Record<string, string> {
  return { ...ofThisProcess(), ...QUIET };
}

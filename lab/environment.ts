/** The environment of programs of this project in tests. */
import { inheritedEnvironment as inherited } from "./child.ts";

/** Disables the update check of the runtime, whose DNS query would go to a proxy under test that captures DNS. */
const NO_UPDATE_CHECK = { DENO_NO_UPDATE_CHECK: "1" };

/** Returns the inherited variables, with the update check disabled. */
export function inheritedEnvironment(): Record<string, string> {
  return { ...inherited(), ...NO_UPDATE_CHECK };
}

/** What `main` asks first. It imports nothing that calls foreign code, for which the permission may be missing. */
import { neededPaths } from "../config/permissions.ts";
import { isGranted, missingFlags, missingPaths } from "./missing_permissions.ts";

/**
 * Ends the process with status 1 when it has not been given what it needs. `program`: the file of this program;
 * `serves`: it is to be a proxy, and no tool on the command line.
 */
export async function checkPermissions(program: string, serves: boolean): Promise<void> {
  let missing = missingFlags(isGranted);
  if (missing.length === 0 && serves) {
    const { systemFileExists } = await import("../os/system_files.ts");
    missing = missingPaths(neededPaths(Deno.env.toObject(), systemFileExists, program), isGranted);
  }
  if (missing.length === 0) return;
  for (const line of missing) console.error(`Error: ${line}`);
  Deno.exit(1);
}

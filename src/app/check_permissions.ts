/** The first check of `main`. It imports nothing that calls foreign code, for which the permission may be missing. */
import { neededPaths } from "../config/permissions.ts";
import { isGranted, missingFlags, missingPaths } from "./missing_permissions.ts";

/**
 * Ends the process with status 1 when a permission is missing. `program`: the file of this program; `serves`: it
 * runs as a proxy, not as a command-line tool.
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

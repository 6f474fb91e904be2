/** Checks the runtime's permissions before anything else, and reports each missing one with its flag. */
import { FLAGS, type NeededPaths } from "../config/permissions.ts";

type Query = (descriptor: Deno.PermissionDescriptor) => boolean;

/** One line for each missing flag that is needed with any settings. */
export function missingFlags(isGranted: Query): string[] {
  return Object.entries(FLAGS)
    .filter(([flag]) => !isGranted({ name: flag.slice("--allow-".length) as Deno.PermissionDescriptor["name"] }))
    .map(([flag, why]) => `permission ${flag} is missing: ${why}`);
}

const WHY = {
  read: "these paths are always read or named by settings",
  write: "files are created (LOCAL_CA_*) or Unix sockets are opened there",
} as const;

/** One line for each kind of access (read, write) that is not granted for all paths. */
export function missingPaths(needed: NeededPaths, isGranted: Query): string[] {
  return (["read", "write"] as const).flatMap((name) => {
    const paths = needed[name].filter((path) => !isGranted({ name, path }));
    return paths.length === 0 ? [] : [`permission --allow-${name}=${paths.join(",")} is missing: ${WHY[name]}`];
  });
}

/** Whether the runtime grants a permission. */
export function isGranted(descriptor: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(descriptor).state === "granted";
}

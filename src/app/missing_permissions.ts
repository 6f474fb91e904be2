/** The look at the runtime's permissions before anything else, so that what is missing is told with its flag. */
import { FLAGS, type NeededPaths } from "../config/permissions.ts";

export type Query = (descriptor: Deno.PermissionDescriptor) => boolean;

/** One line for each flag that must be there with any settings and is not. */
export function missingFlags(isGranted: Query): string[] {
  return Object.entries(FLAGS)
    .filter(([flag]) => !isGranted({ name: flag.slice("--allow-".length) as Deno.PermissionDescriptor["name"] }))
    .map(([flag, why]) => `permission ${flag} is missing: ${why}`);
}

const WHY = {
  read: "these are read always, or named by settings",
  write: "files are made there (LOCAL_CA_*), or Unix sockets are connected to",
} as const;

/** One line for each right whose paths are not all granted. */
export function missingPaths(needed: NeededPaths, isGranted: Query): string[] {
  return (["read", "write"] as const).flatMap((name) => {
    const paths = needed[name].filter((path) => !isGranted({ name, path }));
    return paths.length === 0 ? [] : [`permission --allow-${name}=${paths.join(",")} is missing: ${WHY[name]}`];
  });
}

/** As the runtime has it. */
export function isGranted(descriptor: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(descriptor).state === "granted";
}

/** Parses the verbose part of a container's status, JSON whose form the runtime defines (`docs/spec/identity-spire.md` 4.3). */

/** Returns the pid, or why there is none. Containerd and CRI-O both have it at the top level. */
export function pidOfContainer(containerId: string, info: Readonly<Record<string, string>>): number | string {
  const text = Object.hasOwn(info, "info") ? info["info"] : undefined;
  if (text === undefined) return `Container info not found for container: ${containerId}`;
  const failed = (reason: string) => `Failed to parse container info for container ${containerId}: ${reason}`;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return failed("not JSON");
  }
  const pid = typeof parsed === "object" && parsed !== null && "pid" in parsed ? parsed.pid : undefined;
  if (pid === undefined) return failed("missing field `pid`");
  const isInt32 = typeof pid === "number" && (pid | 0) === pid;
  return isInt32 ? pid : failed("`pid` is no 32-bit integer");
}

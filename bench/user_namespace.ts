/**
 * Lets a user who is not root run the benchmark, which makes network namespaces: where the kernel allows it, the
 * benchmark starts itself again as root of a new user namespace.
 */
import { BENCH_PERMISSIONS } from "./script.ts";

// `ip netns` keeps its names below /run, which belongs to the real root; a resolv.conf that lives there must stay.
const PREPARE = `conf=$(cat /etc/resolv.conf)
mount -t tmpfs tmpfs /run
real=$(readlink -m /etc/resolv.conf)
case $real in /run/*) mkdir -p "\${real%/*}"; printf '%s\\n' "$conf" >"$real" ;; esac
exec "$@"`;

const UNSHARE = ["--user", "--map-root-user", "--net", "--mount", "--"];

/**
 * Runs the main program of this process again in a user namespace and returns its exit code. Null: not needed (root,
 * `--loopback`) or not allowed here.
 */
export async function inOwnUserNamespace(args: readonly string[]): Promise<number | null> {
  if (Deno.uid() === 0 || args.includes("--loopback")) return null;
  if (!await allowed()) return null;
  const self = [Deno.execPath(), "run", "--no-prompt", ...BENCH_PERMISSIONS, Deno.mainModule, ...args];
  const command = new Deno.Command("unshare", { args: [...UNSHARE, "sh", "-c", PREPARE, "sh", ...self] });
  // Ctrl-C reaches the child as well, which cleans up; this process only has to outlive it.
  Deno.addSignalListener("SIGINT", () => {});
  const child = command.spawn();
  Deno.addSignalListener("SIGTERM", () => child.kill("SIGTERM"));
  return (await child.status).code;
}

async function allowed(): Promise<boolean> {
  try {
    const args = [...UNSHARE, "sh", "-c", "mount -t tmpfs tmpfs /run && ip netns add probe"];
    return (await new Deno.Command("unshare", { args, stdout: "null", stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

/** The machine of a run, without anything that identifies it. */
import { availableParallelism, cpus, release } from "node:os";
import type { Results } from "./results.ts";

const TOOLS = ["wrk", "iperf3", "nginx", "strace", "openssl", "nsenter", "ip", "iptables"];

/** The description for the report. */
export async function describeMachine(): Promise<Results["machine"]> {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown CPU",
    cores: availableParallelism(),
    kernel: release(),
    deno: Deno.version.deno,
    revision: await revision(),
  };
}

/** Tools of the rig that are not installed. */
export function missingTools(): string[] {
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/sbin"];
  return TOOLS.filter((tool) => !folders.some((folder) => isFile(`${folder}/${tool}`)));
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

async function revision(): Promise<string> {
  try {
    const args = ["-C", new URL(".", import.meta.url).pathname, "rev-parse", "--short", "HEAD"];
    const { success, stdout } = await new Deno.Command("git", { args, stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout).trim() : "unknown";
  } catch {
    return "unknown";
  }
}

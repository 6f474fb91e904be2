/** The real istioctl (`tests/peers/istioctl`), which reads saved config dumps without a cluster. */
import { existsSync } from "node:fs";
import { lacks, plan } from "./needs.ts";
import { run } from "./program.ts";

const FOLDER = new URL("../peers/istioctl/", import.meta.url).pathname;

export type DumpSection = "workloads" | "services" | "policies" | "certificates" | "connections" | "all";

/** What `istioctl ztunnel-config SECTION` prints of the dump in `file`. Fails with its output where it does. */
export async function ztunnelConfig(section: DumpSection, file: string, ...more: readonly string[]): Promise<string> {
  return await run(istioctl(), "ztunnel-config", section, "-f", file, ...more);
}

/** Registers a test that needs istioctl, which `deno task interop:istioctl` builds. */
export function testWithIstioctl(name: string, fn: (t: Deno.TestContext) => void | Promise<void>): void {
  const noGo = lacks({ go: true });
  const notBuilt = { reason: "istioctl is not built", cure: "deno task interop:istioctl builds it", duty: false };
  const missing = existsSync(istioctl()) ? [] : noGo.length > 0 ? noGo : [notBuilt];
  Deno.test(plan(missing, name, fn, Deno.env.get("CI") === "true"));
}

let program: string | undefined;

/** Where the program is, or would be. */
function istioctl(): string {
  if (program !== undefined) return program;
  const { stdout } = new Deno.Command(`${FOLDER}build.sh`, { args: ["--path"] }).outputSync();
  program = new TextDecoder().decode(stdout).trim();
  return program;
}

/** Runs the real istioctl (`tests/peers/istioctl`) on saved config dumps, without a cluster. */
import { BuiltPeer } from "../../lab/istio/built_peer.ts";
import { plan } from "../../lab/needs.ts";
import { run } from "../../lab/program.ts";

const ISTIOCTL = new BuiltPeer("istioctl");

type DumpSection = "workloads" | "services" | "policies" | "certificates" | "connections" | "all";

/** The output of `istioctl ztunnel-config SECTION` for the dump in `file`. Rejected with its output when it fails. */
export async function ztunnelConfig(section: DumpSection, file: string, ...more: readonly string[]): Promise<string> {
  return await run(ISTIOCTL.path, "ztunnel-config", section, "-f", file, ...more);
}

/** Registers a test that needs istioctl, which `deno task interop:istioctl` builds. */
export function testWithIstioctl(name: string, fn: (t: Deno.TestContext) => void | Promise<void>): void {
  Deno.test(plan(ISTIOCTL.lacks(), name, fn, Deno.env.get("CI") === "true"));
}

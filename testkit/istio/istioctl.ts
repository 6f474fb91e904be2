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

/**
 * The objects of this kind that `istioctl validate` refuses for the YAML in `file`, by `namespace/name`, each with the
 * reason. It makes the checks that istiod makes as the admission webhook of a cluster.
 */
export async function refusedByIstioctl(kind: string, file: string): Promise<ReadonlyMap<string, string>> {
  const { stderr } = await new Deno.Command(ISTIOCTL.path, { args: ["validate", "-f", file] }).output();
  // Warnings come first, in the same format.
  const lines = new TextDecoder().decode(stderr).split(/^Error: /m)[1]?.split("\n") ?? [];
  const found = lines.flatMap((line) => {
    const [, of, key, reason] = /^\t\* ([A-Za-z]+)\/(\S+): (.*)$/.exec(line) ?? [];
    return of === kind && key !== undefined && reason !== undefined ? [[key, reason] as const] : [];
  });
  return new Map(found);
}

/** Registers a test that needs istioctl, which `deno task interop:istioctl` builds. */
export function testWithIstioctl(name: string, fn: (t: Deno.TestContext) => void | Promise<void>): void {
  Deno.test(plan(ISTIOCTL.lacks(), name, fn, Deno.env.get("CI") === "true"));
}

/** What the cluster consists of, which `tests/peers/kubernetes/build.sh` makes, and the tests that need it. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { BuiltPeer } from "../istio/built_peer.ts";
import { HELM } from "../istio/charts.ts";
import { type Lack, lacks, type Needs, plan } from "../needs.ts";
import { missingControllers } from "./control_groups.ts";

const KUBERNETES = new BuiltPeer("kubernetes");

/** The folder with the programs and images. */
export function builtFolder(): string {
  return KUBERNETES.path;
}

/** Returns the path of a program that another peer's build made. */
export function builtPrograms(name: string): string {
  return `${dirname(KUBERNETES.path)}/${name}`;
}

/** Returns what is missing to run SPIRE in a cluster. */
export function lacksSpire(): Lack[] {
  if (existsSync(builtPrograms("spire-1.13.3/spire-server"))) return [];
  return [{ reason: "SPIRE is not built", cure: "deno task interop:spire builds it", duty: false }];
}

/** Registers a test that needs a cluster; otherwise as `testNeeding`. */
export function testWithKubernetes(
  needs: Needs,
  name: string,
  fn: (t: Deno.TestContext) => void | Promise<void>,
  further: readonly Lack[] = [],
): void {
  const missing = [
    ...further,
    ...lacks({ namespaces: true, packages: ["openssl"], ...needs }),
    ...lacksGroups(),
    ...KUBERNETES.lacks(),
    ...HELM.lacks(),
  ];
  Deno.test(plan(missing, name, fn, Deno.env.get("CI") === "true"));
}

function lacksGroups(): Lack[] {
  const missing = missingControllers();
  if (missing.length === 0) return [];
  const reason = `control groups of version 1 are not mounted (${missing.join(", ")})`;
  return [{ reason, cure: "run on a machine that has them", duty: false }];
}

/** The static mesh (`LOCAL_XDS_PATH`, docs/spec/config-admin.md 2): one client workload, one server workload. */
import { stringify } from "yaml";
import type { Link } from "./rig.ts";

/** The file for the proxies of a link. */
export function meshFile(link: Link): string {
  const { client, server } = link.addresses;
  // On loopback one process is both sides, and it has one identity.
  const serverAccount = link.kind === "loopback" ? "a" : "b";
  return stringify({
    workloads: [workload("a", "a", "na", client), workload("b", serverAccount, "nb", server)],
    policies: [],
    services: [],
  });
}

function workload(name: string, serviceAccount: string, node: string, address: string) {
  return {
    uid: `cluster1//Pod/default/${name}`,
    name,
    namespace: "default",
    serviceAccount,
    trustDomain: "cluster.local",
    node,
    network: "",
    protocol: "HBONE",
    workloadIps: [address],
    services: {},
  };
}

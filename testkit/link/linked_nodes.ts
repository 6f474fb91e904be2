/** Joins the nodes of a test cluster, or one of them and the host outside, by a {@link SlowLink} that carries the pods' packets. */
import type { Cluster } from "../../lab/bed/cluster.ts";
import type { Namespace } from "../../lab/namespace.ts";
import { LINK_DEVICE, type LinkConditions, SlowLink } from "./slow_link.ts";

/** The link's address of each node, IPv4 and IPv6. */
const ENDS = [["10.250.0.1", "fd25::1"], ["10.250.0.2", "fd25::2"]] as const;

/**
 * Makes the link; it ends with the cluster. Traffic to the host outside and between the nodes themselves does not use it.
 */
export async function linkNodes(cluster: Cluster, conditions: Partial<LinkConditions> = {}): Promise<SlowLink> {
  const [one, two] = cluster.nodes.map(({ namespace }, index) => ({
    in: namespace,
    addresses: [`${ENDS[index]![0]}/24`, `${ENDS[index]![1]}/64`],
  }));
  const link = cluster.use(await SlowLink.join(one!, two!, conditions));
  for (const { namespace, wired } of cluster.nodes) {
    const other = wired.number === 1 ? 2 : 1;
    const [ip, ip6] = ENDS[other - 1]!;
    await namespace.run("ip", "-4", "route", "replace", `10.${other}.0.0/16`, "via", ip, "dev", LINK_DEVICE);
    await namespace.run("ip", "-6", "route", "replace", `fd0${other}::/64`, "via", ip6, "dev", LINK_DEVICE);
  }
  return link;
}

/**
 * Joins the first node and the host outside by a link; it ends with the cluster. It carries what the node's pods and the
 * host send to each other, from and to their usual addresses.
 */
export async function linkOutside(cluster: Cluster, conditions: Partial<LinkConditions> = {}): Promise<SlowLink> {
  const { outside, nodes: [node] } = cluster;
  const [near, far] = [node!.namespace, outside.namespace].map((namespace, index) => ({
    in: namespace,
    addresses: [`${ENDS[index]![0]}/24`, `${ENDS[index]![1]}/64`],
  }));
  const link = cluster.use(await SlowLink.join(near!, far!, conditions));
  const route = (namespace: Namespace, family: string, ...words: readonly string[]) =>
    namespace.run("ip", family, "route", "replace", ...words, "dev", LINK_DEVICE);
  const [[ip, ip6], [farIp, farIp6]] = ENDS;
  await route(near!.in, "-4", outside.ip, "via", farIp);
  await route(near!.in, "-6", outside.ip6, "via", farIp6);
  await route(far!.in, "-4", "10.1.0.0/16", "src", outside.ip, "via", ip);
  await route(far!.in, "-6", "fd01::/64", "src", outside.ip6, "via", ip6);
  return link;
}

/** Joins the two nodes of a test cluster by a {@link SlowLink}, which carries what their pods send to each other. */
import type { Cluster } from "../../lab/bed/cluster.ts";
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

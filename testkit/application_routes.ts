/** Between which proxies applications are checked: each route builds the pods of a client and of a server. */
import { type BedNode, Cluster } from "../lab/bed/cluster.ts";
import type { Wired } from "../lab/bed/topology.ts";
import type { Needs } from "../lab/needs.ts";
import type { AppPods } from "./applications.ts";
import { buildDedicated, type Side } from "./dedicated_pods.ts";
import { DIRECTIONS, PeerBed } from "./rust_peer.ts";

/** A way between two pods; `build` starts everything on it. */
export interface AppRoute {
  readonly title: string;
  readonly needs: Needs;
  readonly build: () => Promise<AppPods>;
}

const IN_NAMESPACES: Needs = { namespaces: true, packages: ["iptables"] };

export const SHARED: AppRoute = {
  title: "a proxy for each node",
  needs: { namespaces: true, packages: ["iptables", "nc", "tcpdump"] },
  build: async () => withWire(await Cluster.build({ pods: [CLIENT, SERVER] })),
};

export const DEDICATED: AppRoute = {
  title: "a proxy in each pod",
  needs: IN_NAMESPACES,
  build: () => buildDedicated(["client", "server"]),
};

/** A route on which one of the two proxies is a Rust ztunnel. */
interface RustRoute extends AppRoute {
  /** The side with the Rust ztunnel. */
  readonly rust: Side;
}

export const WITH_RUST: readonly RustRoute[] = DIRECTIONS.map((direction) => ({
  title: direction.title,
  rust: direction.rust === 1 ? "client" : "server",
  needs: { namespaces: true, env: ["ZTUNNEL_PEER"], packages: ["iptables", "nc", "tcpdump"] },
  async build() {
    const bed = await PeerBed.build(direction);
    return { ...withWire(bed.cluster), [Symbol.asyncDispose]: () => bed[Symbol.asyncDispose]() };
  },
}));

/** The same with a proxy in each pod. */
export const DEDICATED_WITH_RUST: readonly RustRoute[] = WITH_RUST.map(({ title, rust }) => ({
  title: `${title}, a proxy in each pod`,
  rust,
  needs: { ...IN_NAMESPACES, env: ["ZTUNNEL_PEER"] },
  build: () => buildDedicated(["client", "server"], rust),
}));

/** From a pod of the mesh to a server outside of it: the client's proxy copies plain TCP. */
export const TO_OUTSIDE: readonly AppRoute[] = [
  {
    title: "to a server outside of the mesh, by the proxy of the client's node",
    needs: IN_NAMESPACES,
    async build() {
      const cluster = await Cluster.build({ pods: [CLIENT] });
      return podsOf(cluster, cluster.pod("client"), cluster.outside, [cluster.nodes[0]!]);
    },
  },
  {
    title: "to a server outside of the mesh, by a proxy in the client's pod",
    needs: IN_NAMESPACES,
    build: () => buildDedicated(["client"]),
  },
];

/** From a client outside of the mesh to a pod of it: the server's proxy copies plain TCP, which arrives at port 15006. */
export const FROM_OUTSIDE: readonly AppRoute[] = [
  {
    title: "from a client outside of the mesh, by the proxy of the server's node",
    needs: IN_NAMESPACES,
    async build() {
      const cluster = await Cluster.build({ pods: [SERVER] });
      return podsOf(cluster, cluster.outside, cluster.pod("server"), [cluster.nodes[1]!]);
    },
  },
  {
    title: "from a client outside of the mesh, by a proxy in the server's pod",
    needs: IN_NAMESPACES,
    build: () => buildDedicated(["server"]),
  },
];

const CLIENT = { name: "client", node: 1 }, SERVER = { name: "server", node: 2 };

function withWire(cluster: Cluster): AppPods {
  const pods = podsOf(cluster, cluster.pod("client"), cluster.pod("server"), cluster.nodes);
  return { ...pods, wire: cluster.nodes[0]!.namespace };
}

type Placed = Pick<Wired, "namespace" | "ip">;

function podsOf(cluster: Cluster, client: Placed, server: Placed, nodes: readonly BedNode[]): AppPods {
  return {
    client: client.namespace,
    server: server.namespace,
    ip: server.ip,
    folder: cluster.folder,
    proxies: nodes.map(({ proxy }) => proxy),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

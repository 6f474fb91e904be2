/** Between which proxies applications are checked: each route builds the pods of a client and of a server. */
import { Cluster } from "../lab/bed/cluster.ts";
import { meshText } from "../lab/mesh.ts";
import { join, makeNamespace } from "../lab/namespace.ts";
import type { Needs } from "../lab/needs.ts";
import { cacheProgram, Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { tempDir } from "../lab/temp_dir.ts";
import type { AppPods } from "./applications.ts";
import { PACKET_MARK, redirect } from "./redirection.ts";
import { DIRECTIONS, PeerBed } from "./rust_peer.ts";

export interface AppRoute {
  readonly title: string;
  readonly needs: Needs;
  readonly build: () => Promise<AppPods>;
}

export const SHARED: AppRoute = {
  title: "a proxy for each node",
  needs: { namespaces: true, packages: ["iptables", "nc", "tcpdump"] },
  async build() {
    return podsOf(await Cluster.build({ pods: [{ name: "client", node: 1 }, { name: "server", node: 2 }] }));
  },
};

export const DEDICATED: AppRoute = {
  title: "a proxy in each pod",
  needs: { namespaces: true, packages: ["iptables"] },
  build: buildDedicated,
};

export const WITH_RUST: readonly AppRoute[] = DIRECTIONS.map((direction) => ({
  title: direction.title,
  needs: { namespaces: true, env: ["ZTUNNEL_PEER"], packages: ["iptables", "nc", "tcpdump"] },
  async build() {
    const bed = await PeerBed.build(direction);
    return { ...podsOf(bed.cluster), [Symbol.asyncDispose]: () => bed[Symbol.asyncDispose]() };
  },
}));

function podsOf(cluster: Cluster): AppPods {
  const server = cluster.pod("server");
  return {
    client: cluster.pod("client").namespace,
    server: server.namespace,
    ip: server.ip,
    folder: cluster.folder,
    wire: cluster.nodes[0]!.namespace,
    proxies: cluster.nodes.map(({ proxy }) => proxy),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

const CLIENT = "10.9.0.1", SERVER = "10.9.0.2";

/** Two pods that share a wire; each runs its own proxy beside its applications. */
async function buildDedicated(): Promise<AppPods> {
  await using stack = new AsyncDisposableStack();
  await cacheProgram("main.ts"); // the namespaces have no way to the network
  const { path: folder } = stack.use(tempDir());
  const client = stack.use(await makeNamespace("client")), server = stack.use(await makeNamespace("server"));
  await join({ in: client, addresses: [`${CLIENT}/24`] }, { in: server, addresses: [`${SERVER}/24`] });
  await Promise.all([client, server].map(redirect));
  const mesh = meshText([{ name: "client", ips: [CLIENT] }, { name: "server", ips: [SERVER] }]);
  const proxies: Proxy[] = [];
  for (const [name, namespace] of [["client", client], ["server", server]] as const) {
    // The ports to which the rules redirect, on all addresses; sources are kept.
    const { BIND_ADDRESS: _, ENABLE_ORIG_SRC: __, ...rest } = nodeSettings({ name, ip: "", mesh, folder });
    const settings = Object.entries(rest).filter(([variable]) => !variable.endsWith("_PORT"));
    const env = { ...Object.fromEntries(settings), UNSTABLE_ENABLE_SOCKS5: "false", PACKET_MARK: `${PACKET_MARK}` };
    proxies.push(stack.use(await Proxy.ready(env, { namespace: namespace.name })));
  }
  const owned = stack.move();
  return { client, server, ip: SERVER, folder, proxies, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The mesh of the demo: three proxies and the applications behind one of them, with files in a temporary folder. */
import { type Apps, startApps } from "./apps.ts";
import { CLIENT, INTRUDER, meshFile, SHOP, type Workload, WORKLOADS } from "./workloads.ts";
import type { LogLine } from "../lab/log_line.ts";
import { launcher, Node } from "../lab/proxy_process.ts";
import { takeHbonePort } from "./ports.ts";

/** The running mesh. */
export interface Mesh {
  readonly apps: Apps;
  /** Proxies of client, shop and intruder. */
  readonly a: Node;
  readonly b: Node;
  readonly c: Node;
  readonly hbonePort: number;
  /** SOCKS5 ports of `node-a` and `node-c`, on 127.0.0.1. */
  readonly socksPorts: { readonly a: number; readonly c: number };
  /** Address of node-a's metrics, `ip:port`. */
  readonly metrics: string;
  /** Addresses of the admin servers of `node-a` and `node-b`, `ip:port`. */
  readonly admins: { readonly a: string; readonly b: string };
  readonly folder: string;
  /** The TLS library that the proxies use. */
  readonly library: string;
}

/** Starts everything. `stack` owns what was started, even when this throws. */
export async function startMesh(stack: AsyncDisposableStack): Promise<Mesh> {
  // No await up to the last process, so that an interruption finds either all or none of this.
  const folder = Deno.makeTempDirSync({ prefix: "ztunnel-demo-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const apps = stack.use(startApps(SHOP.ip));
  Deno.writeTextFileSync(`${folder}/mesh.yaml`, meshFile(apps.ports));
  const hbonePort = takeHbonePort(WORKLOADS.map(({ ip }) => ip), stack);
  const nodes: Node[] = [];
  stack.defer(async () => void await Promise.all(nodes.map((node) => node.stop())));
  const start = (member: Workload) => {
    const own = settings(member, folder, hbonePort, member !== SHOP);
    const node = new Node(member.node, launcher(own), own);
    nodes.push(node);
    return node;
  };
  const [a, b, c] = [start(CLIENT), start(SHOP), start(INTRUDER)];
  const [, socksA, stats, adminA, adminB, socksC, library] = await Promise.all([
    listening(b, "inbound"),
    listening(a, "socks5"),
    listening(a, "stats"),
    listening(a, "admin"),
    listening(b, "admin"),
    listening(c, "socks5"),
    a.line("its TLS library", (line) => line.message === "TLS library in use"),
  ]);
  return {
    apps,
    a,
    b,
    c,
    hbonePort,
    socksPorts: { a: portOf(socksA), c: portOf(socksC) },
    metrics: addressOf(stats),
    admins: { a: addressOf(adminA), b: addressOf(adminB) },
    folder,
    library: library.fields.get("library") ?? "",
  };
}

function settings(member: Workload, folder: string, hbonePort: number, socks: boolean): Record<string, string> {
  return {
    PROXY_MODE: "dedicated",
    PROXY_WORKLOAD_INFO: `demo/${member.name}/${member.name}`,
    NODE_NAME: member.node,
    BIND_ADDRESS: member.ip,
    IPV6_ENABLED: "false",
    // That would need a capability; the application sees the proxy's address instead.
    ENABLE_ORIG_SRC: "false",
    ISTIO_META_DNS_CAPTURE: "false",
    XDS_ADDRESS: "",
    LOCAL_XDS_PATH: `${folder}/mesh.yaml`,
    FAKE_CA: "true",
    LOCAL_CA_CERT: `${folder}/ca.pem`,
    LOCAL_CA_KEY: `${folder}/ca.key`,
    UNSTABLE_ENABLE_SOCKS5: String(socks),
    INBOUND_PORT: String(hbonePort),
    SOCKS5_PORT: "0",
    OUTBOUND_PORT: "0",
    INBOUND_PLAINTEXT_PORT: "0",
    ADMIN_PORT: "0",
    STATS_PORT: "0",
    READINESS_PORT: "0",
    ZTUNNEL_WORKER_THREADS: "1",
    CONNECTION_TERMINATION_DEADLINE: "1s",
    // The result of the TLS handshake is logged at debug.
    RUST_LOG: "info,ztunnel::proxy::h2::client=debug",
  };
}

function listening(node: Node, component: string): Promise<LogLine> {
  return node.line(
    `that its listener "${component}" is established`,
    ({ message, fields }) => message === "listener established" && fields.get("component") === component,
  );
}

function addressOf(line: LogLine): string {
  return line.fields.get("address") ?? "";
}

function portOf(line: LogLine): number {
  return Number(addressOf(line).split(":").at(-1));
}

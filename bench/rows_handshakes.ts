/**
 * Full mutual TLS handshakes, on either side of a proxy. One proxy in a network namespace, and `handshake_peer.ts` in
 * another. It dials the proxy's inbound port and disconnects when the proxy has sent its first bytes of HTTP/2. Or it
 * accepts the proxy's connection and answers one request on it, so that the proxy needs a new connection for the next
 * one; without an answer a proxy would wait longer and longer between its attempts. The figures are those of the
 * handshake, with TCP and the verification of the peer, and of what opens HTTP/2. Dialling also has a SOCKS5 connection
 * and a request in it.
 */
import { stringify } from "yaml";
import { cpuTime } from "./cpu.ts";
import { Processes, type Started, waitForLog, waitForPorts } from "./processes.ts";
import type { Ztunnel } from "./pair.ts";
import { commandOf } from "./proxies.ts";
import { openLink } from "./rig.ts";
import { type Metric, type Plan, type Row, type Sample, ztunnelsOneByOne } from "./row.ts";
import { script } from "./script.ts";
import { builtLibrary, OPENSSL } from "./tls_library.ts";

const REPOSITORY = new URL("../", import.meta.url).pathname;
const PEER = "handshake_peer.ts";
const START_MILLIS = 30_000;
const WARM_UP_SECONDS = 1;

const higher = (id: string, title: string): Metric => ({ id, title, unit: "1/s", better: "higher" });

const handshakes: Row = {
  id: "handshakes",
  title: "full mutual TLS handshakes, 16 at a time",
  metrics: [
    higher("server", "per second of CPU, accepting"),
    higher("client", "per second of CPU, dialling"),
    higher("serverRate", "rate, accepting"),
    higher("clientRate", "rate, dialling"),
  ],
  once: false,
  quick: false,
  measure: ztunnelsOneByOne(async (ztunnel, { link }, plan) => {
    return link.kind === "loopback" ? {} : await withProxy(ztunnel, (bed) => measure(bed, plan));
  }),
};

/** One proxy in its own namespace, and another namespace for peers. */
export interface ProxyBed {
  readonly proxy: Started;
  /** Folder with the certificates of the peers. */
  readonly folder: string;
  readonly address: string;
  /** Addresses of the peers' side. */
  readonly peers: readonly string[];
  /** Runs a program of `bench/` as a peer, or beside the proxy. */
  peer(script: string, ...words: string[]): Promise<string>;
  beside(script: string, ...words: string[]): Promise<string>;
  /** Starts a peer at low priority: in reality unknown peers use the CPU of other machines. */
  start(script: string, ...words: string[]): Started;
}

/** Starts a proxy, runs `measure`, and stops everything. */
export async function withProxy(ztunnel: Ztunnel, use: (bed: ProxyBed) => Promise<Sample>): Promise<Sample> {
  const folder = Deno.makeTempDirSync({ prefix: "ztunnel-handshakes-" });
  const processes = new Processes(folder);
  const link = await openLink("namespaces", processes, `${Deno.pid}-h`);
  try {
    const peers = Array.from({ length: 16 }, (_, index) => `10.77.0.${10 + index}`);
    for (const ip of peers) {
      await processes.run([...link.inside("server"), "ip", "addr", "add", `${ip}/24`, "dev", "veth0"]);
    }
    const library = builtLibrary(OPENSSL);
    const inPeer = (side: "client" | "server", file: string, ...words: string[]) => [
      ...link.inside(side),
      "env",
      ...(library === null ? [] : [`TLS_LIBRARY=${library}`]),
      ...script(file, ...words),
    ];
    const serving = processes.start("peers", inPeer("server", PEER, "serve", folder, link.addresses.server, ...peers));
    await waitForLog(serving, /ready/, START_MILLIS);
    const proxy = await startProxy(processes, link.inside("client"), ztunnel, {
      folder,
      own: link.addresses.client,
      ca: link.addresses.server,
      peers,
    });
    return await use({
      proxy,
      folder,
      address: link.addresses.client,
      peers,
      peer: (script, ...words) => processes.run(inPeer("server", script, ...words)),
      beside: (script, ...words) => processes.run(inPeer("client", script, ...words)),
      start: (script, ...words) => processes.start("peer", ["nice", "-n", "19", ...inPeer("server", script, ...words)]),
    });
  } finally {
    await processes.stopAll();
    await link.close();
    await Deno.remove(folder, { recursive: true });
  }
}

async function measure({ proxy, folder, address, peers, peer, beside }: ProxyBed, plan: Plan): Promise<Sample> {
  const rate = async (seconds: number, run: ProxyBed["peer"], ...words: string[]) => {
    const before = cpuTime(proxy.pid);
    const count = Number((await run(PEER, ...words, `${seconds}`)).trim());
    const after = cpuTime(proxy.pid);
    return { rate: count / seconds, perCpu: count / (after.user + after.system - before.user - before.system) };
  };
  const accept = (seconds: number) => rate(seconds, peer, "dial", folder, address);
  const dial = (seconds: number) => rate(seconds, beside, "connect", peers.join());
  await accept(WARM_UP_SECONDS);
  await dial(WARM_UP_SECONDS);
  const server = await accept(plan.seconds), client = await dial(plan.seconds);
  return { server: server.perCpu, client: client.perCpu, serverRate: server.rate, clientRate: client.rate };
}

interface PairSetup {
  readonly folder: string;
  readonly own: string;
  readonly ca: string;
  readonly peers: readonly string[];
}

async function startProxy(
  processes: Processes,
  inside: readonly string[],
  ztunnel: Ztunnel,
  { folder, own, ca, peers }: PairSetup,
): Promise<Started> {
  const mesh = `${folder}/mesh.yaml`;
  const workloads = [workload("a", own), ...peers.map((ip, index) => workload(`w${index}`, ip))];
  Deno.writeTextFileSync(mesh, stringify({ workloads, policies: [], services: [] }));
  const settings = {
    CA_ADDRESS: `https://${ca}:15012`,
    CA_ROOT_CA: `${folder}/root.pem`,
    ALT_CA_HOSTNAME: "localhost",
    AUTH_TOKEN: "a-token",
    XDS_ADDRESS: "",
    LOCAL_XDS_PATH: mesh,
    PROXY_MODE: "dedicated",
    PROXY_WORKLOAD_INFO: "default/a/a",
    NODE_NAME: "na",
    ENABLE_ORIG_SRC: "false",
    IPV6_ENABLED: "false",
    ISTIO_META_DNS_CAPTURE: "false",
    UNSTABLE_ENABLE_SOCKS5: "true",
    ZTUNNEL_WORKER_THREADS: "1",
    // A log line for each handshake would affect the measurement.
    RUST_LOG: "error",
    ...ztunnel.env,
  };
  const proxy = processes.start("proxy", [...inside, ...commandOf(ztunnel)(settings)], {
    env: settings,
    cwd: REPOSITORY,
  });
  await waitForPorts(proxy, [15008, 15080], START_MILLIS);
  return proxy;
}

function workload(name: string, address: string) {
  return {
    uid: `cluster1//Pod/default/${name}`,
    name,
    namespace: "default",
    serviceAccount: name,
    trustDomain: "cluster.local",
    node: `n${name}`,
    network: "",
    protocol: "HBONE",
    workloadIps: [address],
    services: {},
  };
}

/** The rows of this file. */
export const HANDSHAKE_ROWS: readonly Row[] = [handshakes];

/**
 * Nodes of a mesh in one in-memory network under virtual time. Each node is a whole data plane with
 * one pod, in a namespace of its own, with the redirection that a pod has.
 */
import { strict as assert } from "node:assert";
import { parseConfig } from "../../config/parse_config.ts";
import { type Holdings, HostNetwork, NOTHING_HELD } from "../../hbone/testkit/network.ts";
import { NOW, spiffeId, TestIssuer } from "../../hbone/testkit/identity.ts";
import { TestSocket } from "../../hbone/testkit/socket.ts";
import type { SpiffeId } from "../../identity/spiffe_id.ts";
import type { MeshChange, WorkloadChange } from "../../mesh/model/changes.ts";
import { DEFAULT_WORKLOAD } from "../../mesh/model/defaults.ts";
import { type Workload, workloadUid } from "../../mesh/model/model.ts";
import { isLoopback, parseIp, parseSocketAddress, type SocketAddress } from "../../net/address.ts";
import type { Duplex } from "../../net/duplex.ts";
import { MemoryNetwork, type MemoryNetworkOptions, memoryTlsContext } from "../../net/testkit/memory_network.ts";
import type { TlsContext } from "../../net/tls_context.ts";
import type { PodProxy } from "../../proxy/pod_proxy.ts";
import { Metrics } from "../../telemetry/metrics.ts";
import { type TestLog, testLog } from "../../telemetry/testkit/log.ts";
import type { TrafficSeries } from "../../telemetry/traffic_metrics.ts";
import { DataPlane } from "../data_plane.ts";

/** SO_MARK of the proxy's own sockets, which redirection does not capture. */
const MARK = 1337;
const INBOUND = 15008, PLAINTEXT = 15006, OUTBOUND = 15001;
const FILES: Readonly<Record<string, string>> = {
  "/etc/resolv.conf": "nameserver 10.0.0.10\n",
  "/proc/sys/net/ipv6/conf/lo/disable_ipv6": "0\n",
};

/** The address of `ip:port`. Throws where it is none. */
export function at(text: string): SocketAddress {
  const address = parseSocketAddress(text);
  if (address === null) throw new Error(`no socket address: ${text}`);
  return address;
}

/** What differs from the usual node. */
export interface NodeOptions {
  /** Variables of the environment, added to those of a node in dedicated mode. */
  readonly env?: Readonly<Record<string, string>>;
  readonly logFilter?: string;
  /** The issuer of its certificate; default: that of the bed. */
  readonly issuer?: TestIssuer;
  readonly trustDomain?: string;
  /** Texts of files that a pod's start reads, in place of the usual ones. The configuration was read before. */
  readonly files?: Readonly<Record<string, string>>;
  /** Its workload in the mesh, over the usual values; null: it is not in the mesh. */
  readonly workload?: Partial<Workload> | null;
  /** The random source; default: always 0, which chooses the first of several. */
  readonly random?: () => number;
}

type CertificateMode = "issue" | "hold" | "refuse";

/** A pod with its proxy. */
export class TestNode {
  readonly host: HostNetwork;
  readonly plane: DataPlane;
  readonly pod: PodProxy;
  readonly id: SpiffeId;
  readonly metrics = new Metrics();
  readonly issuer: TestIssuer;
  /** The last certificate that was issued, DER. */
  leaf: Uint8Array = new Uint8Array();
  /** What happens when the data plane requests a certificate. */
  certificates: CertificateMode = "issue";
  /** Names that the data plane has requested of the control plane. */
  readonly lookedUp: string[] = [];
  readonly #log: TestLog;
  /** How far the clock of its machine is wrong, ms. */
  clockError = 0;
  #drained = false;
  /** The value of the next random bytes. */
  #filling = 0x5a;

  constructor(readonly name: string, readonly ip: string, host: HostNetwork, issuer: TestIssuer, options: NodeOptions) {
    this.host = host;
    this.issuer = options.issuer ?? issuer;
    this.id = spiffeId(`spiffe://${options.trustDomain ?? "cluster.local"}/ns/default/sa/${name}`);
    this.#log = testLog({ filter: options.logFilter ?? "info" });
    const variables = {
      PROXY_MODE: "dedicated",
      PROXY_WORKLOAD_INFO: `default/${name}/${name}`,
      PACKET_MARK: String(MARK),
      ISTIO_META_DNS_CAPTURE: "false",
      ...options.env,
    };
    const files = { read: (path: string) => FILES[path] ?? null, exists: (path: string) => path in FILES };
    const config = parseConfig(variables, files, 1);
    this.plane = new DataPlane({
      config,
      network: host,
      log: this.#log.log,
      metrics: this.metrics,
      makeContext: memoryTlsContext,
      requestCertificate: ({ id }) => this.#answer(id),
      requestLookup: (name) => this.lookedUp.push(name),
      sharedListeners: false,
      files: { ...files, read: (path) => options.files?.[path] ?? files.read(path) },
      wallClock: () => NOW + host.now() + this.clockError,
      random: options.random ?? (() => 0),
      hashSeed: 0,
      fillRandom: (bytes) => void bytes.fill(this.#filling++),
    });
    this.pod = this.plane.startPod(config.workload!);
  }

  /** Lines of the log without time: `info access connection complete src.addr=…`, tabs as spaces. */
  get lines(): string[] {
    return this.allFields.map((line) => line.replace(/ decision\.id=[a-z0-9.-]+/, ""));
  }

  /** Lines with the ids of decisions, which most tests are not about. */
  get allFields(): string[] {
    return this.#log.lines().map((line) => line.split("\t").slice(1).join(" ").trimEnd());
  }

  /** Access lines only, level and message included. */
  get access(): string[] {
    return this.lines.filter((line) => / access /.test(line.slice(0, 14))).map((line) => line.replace(" access ", " "));
  }

  /** The only access line. */
  get accessLine(): string {
    const lines = this.access;
    assert.equal(lines.length, 1, lines.join("\n"));
    return lines[0]!;
  }

  get series(): readonly TrafficSeries[] {
    return this.metrics.traffic.snapshot();
  }

  /** The numbers of the only series. */
  get traffic(): Omit<TrafficSeries, "labels" | "flagAt"> {
    const all = this.series;
    assert.equal(all.length, 1, all.map(({ labels }) => labels).join("\n"));
    const { opened, received, sent, closed, failed } = all[0]!;
    return { opened, received, sent, closed, failed };
  }

  issueCertificate(id = this.id): void {
    const issued = this.issuer.issue(id);
    this.leaf = issued.chain[0]!;
    this.plane.setCertificate(issued);
  }

  drain(deadline = 5000): void {
    this.plane.drain({ kind: "graceful", deadline }, () => this.#drained = true);
  }

  stop(): void {
    this.plane.drain({ kind: "immediate" }, () => this.#drained = true);
  }

  get drained(): boolean {
    return this.#drained;
  }

  get held(): Holdings {
    return this.host.held;
  }

  #answer(id: SpiffeId): void {
    // As in a worker: the answer arrives by a later message.
    switch (this.certificates) {
      case "issue":
        return this.host.nextTurn({ runTurn: () => this.issueCertificate(id) });
      case "refuse":
        return this.host.nextTurn({ runTurn: () => this.plane.certificateFailed(id, "the CA is not there") });
      case "hold":
        return;
      default:
        return this.certificates satisfies never;
    }
  }
}

/** One network with its nodes, applications and scripted peers. */
export class Testbed {
  readonly memory: MemoryNetwork;
  readonly issuer = new TestIssuer();
  readonly nodes: TestNode[] = [];
  readonly #hosts = new Map<string, HostNetwork>();
  readonly #workloads: MeshChange[] = [];

  constructor(options: MemoryNetworkOptions = {}) {
    this.memory = new MemoryNetwork(options);
    this.memory.redirect(({ to, namespace, mark }) => this.#redirect(to, namespace, mark));
  }

  /** A machine without a proxy; the same one for the same address. */
  host(ip: string): HostNetwork {
    let host = this.#hosts.get(ip);
    if (host === undefined) {
      this.#hosts.set(ip, host = new HostNetwork(this.memory, this.#hosts.size + 1));
      this.memory.assign(host.namespace, parseIp(ip)!);
    }
    return host;
  }

  /** A pod with a proxy, in the mesh as a workload that uses HBONE. */
  node(name: string, ip: string, options: NodeOptions = {}): TestNode {
    const node = new TestNode(name, ip, this.host(ip), this.issuer, options);
    this.nodes.push(node);
    node.plane.applyMesh(this.#workloads);
    if (options.workload !== null) {
      const trustDomain = options.trustDomain ?? "cluster.local";
      this.apply(workloadAt(name, ip, { protocol: "HBONE", trustDomain, ...options.workload }));
    }
    return node;
  }

  /** Applies changes of the mesh on all nodes, also on later ones. */
  apply(...changes: readonly MeshChange[]): void {
    this.#workloads.push(...changes);
    for (const node of this.nodes) node.plane.applyMesh(changes);
  }

  /** An application that listens. Returns the list of connections that it accepts. */
  listen(address: string, script: (socket: TestSocket) => void = () => {}, reading = true): TestSocket[] {
    const sockets: TestSocket[] = [];
    const where = at(address);
    const { namespace } = this.host(where.ip);
    this.memory.listen({ address: where, namespace }, ({ duplex }) => {
      const socket = new TestSocket(this.memory, duplex, reading);
      sockets.push(socket);
      script(socket);
    });
    return sockets;
  }

  /** An application of `ip` connects. Its dial is over when this returns. */
  connect(ip: string, to: string, reading = true): TestSocket {
    const dial = this.startConnecting(ip, to, reading);
    this.memory.runUntilIdle();
    return dial();
  }

  /** Begins to connect. Call the result once the network has run. */
  startConnecting(ip: string, to: string, reading = true): () => TestSocket {
    const outcome: { socket: TestSocket | null } = { socket: null };
    this.memory.dial(at(to), { namespace: this.host(ip).namespace }, {
      onConnect: (duplex: Duplex) => outcome.socket = new TestSocket(this.memory, duplex, reading),
      onDialFailure: (ending) => {
        throw new Error(`${to}: ${ending.message}`);
      },
    });
    return () => {
      if (outcome.socket === null) throw new Error(`${to}: not connected yet`);
      return outcome.socket;
    };
  }

  run(): void {
    this.memory.runUntilIdle();
  }

  advance(ms: number): void {
    this.memory.advance(ms);
  }

  /** A context for scripted peers with this identity. */
  context(id: string, issuer = this.issuer): TlsContext {
    return issuer.credential(spiffeId(id)).context;
  }

  /**
   * Checks that nothing is left: no connection but idle ones of pools, which end cleanly and at once when the nodes
   * drain, and then nothing is open, dialling or waiting.
   */
  assertClean(): void {
    this.run();
    for (const node of this.nodes) node.drain();
    this.advance(100);
    for (const node of this.nodes) {
      assert.equal(node.drained, true, `${node.name} is not drained: ${node.pod.connectionCount} connections are left`);
      assert.deepEqual(node.held, NOTHING_HELD, `${node.name} holds something`);
    }
  }

  /** What iptables does in a pod: out to 15001, in to 15006, but neither for the proxy itself nor for HBONE. */
  #redirect(to: SocketAddress, namespace: number, mark: number | null): SocketAddress | null {
    const from = this.nodes.find(({ host }) => host.namespace === namespace);
    if (from !== undefined && mark !== MARK) {
      return isLoopback(to.ip) ? null : { ip: parseIp("127.0.0.1")!, port: OUTBOUND };
    }
    const target = this.nodes.find(({ ip }) => ip === to.ip);
    if (target === undefined || target === from || to.port === INBOUND) return null;
    return { ip: to.ip, port: PLAINTEXT };
  }
}

/** A workload of one address. */
export function workloadAt(name: string, ip: string, words: Partial<Workload> = {}): WorkloadChange {
  const workload: Workload = {
    ...DEFAULT_WORKLOAD,
    uid: workloadUid(`Kubernetes//Pod/default/${name}`),
    name,
    namespace: "default",
    serviceAccount: name,
    workloadName: `${name}-app`,
    canonicalName: name,
    canonicalRevision: "v1",
    workloadIps: [parseIp(ip)!],
    ...words,
  };
  return { kind: "workload", workload, endpoints: new Map() };
}

/** An application that sends back what it gets, and ends when the client has. */
export function echo(socket: TestSocket): void {
  socket.onBytes = (bytes) => void socket.send(bytes);
  socket.onEnded = () => void socket.end();
}

/**
 * For tests only: a DNS proxy in an in-memory network with virtual time, scripted nameservers, and clients whose
 * messages are written and read by an independent library.
 */
import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import packets from "dns-packet";
import type { ServerAddress } from "../../config/config.ts";
import { parseResolverFile } from "../../config/resolver_settings.ts";
import { makeLoop } from "../../net/loop.ts";
import type { MeshChange } from "../../mesh/model/changes.ts";
import { MeshState } from "../../mesh/state/state.ts";
import { LOOPBACK_V4, parseIp, type SocketAddress } from "../../net/address.ts";
import type { Duplex } from "../../net/duplex.ts";
import { MemoryNetwork } from "../../net/testkit/memory_network.ts";
import type { DatagramSocket, Listener, Network } from "../../net/network.ts";
import { LocalWorkload } from "../../mesh/state/local_workload.ts";
import { Metrics } from "../../telemetry/metrics.ts";
import { testLog } from "../../telemetry/testkit/log.ts";
import type { Protocol } from "../answer_writer.ts";
import { DnsProxy, type DnsProxyParts, newDnsShared } from "../dns_proxy.ts";
import { framed, FrameReader } from "../frames.ts";
import { parseHostsFile } from "../hosts_file.ts";
import { CLIENT, fixtureChanges } from "./mesh.ts";

/** A message as the library represents it. */
export interface Packet {
  readonly id?: number;
  readonly type?: "query" | "response";
  readonly opcode?: string;
  readonly rcode?: string;
  readonly flags?: number;
  readonly flag_aa?: boolean;
  readonly flag_tc?: boolean;
  readonly flag_rd?: boolean;
  readonly flag_ra?: boolean;
  readonly flag_ad?: boolean;
  readonly flag_cd?: boolean;
  readonly questions?: readonly PacketQuestion[];
  readonly answers?: readonly PacketRecord[];
  readonly authorities?: readonly PacketRecord[];
  readonly additionals?: readonly PacketRecord[];
}

/** A question as the library represents it. */
interface PacketQuestion {
  readonly name: string;
  readonly type: string;
  readonly class?: string;
}

/** A record as the library represents it. */
interface PacketRecord {
  readonly name: string;
  readonly type: string;
  readonly class?: string;
  readonly ttl?: number;
  // deno-lint-ignore no-explicit-any -- its shape depends on the type
  readonly data?: any;
  readonly udpPayloadSize?: number;
  readonly ednsVersion?: number;
  readonly flags?: number;
  readonly flag_do?: boolean;
  readonly options?: readonly unknown[];
}

/** RD, as stub resolvers set it. */
export const RECURSION_DESIRED = 0x100;

/** The bytes of a message. */
export function encode(packet: Packet): Uint8Array {
  return new Uint8Array(packets.encode(packet));
}

/** The message of these bytes. */
export function decode(bytes: Uint8Array): Required<Packet> {
  return packets.decode(Buffer.from(bytes.slice()));
}

/** What is special about a question. */
export interface Ask {
  readonly class?: string;
  /** UDP payload size; missing: no OPT record. */
  readonly edns?: number;
  readonly dnssec?: boolean;
  readonly ednsVersion?: number;
  readonly id?: number;
  readonly flags?: number;
}

/** The bytes of one question. */
export function question(type: string, name: string, ask: Ask = {}): Uint8Array {
  const opt = {
    name: ".",
    type: "OPT",
    udpPayloadSize: ask.edns ?? 0,
    ednsVersion: ask.ednsVersion ?? 0,
    flags: ask.dnssec ? packets.DNSSEC_OK : 0,
    options: [],
  };
  return encode({
    type: "query",
    id: ask.id ?? 4711,
    flags: ask.flags ?? RECURSION_DESIRED,
    questions: [{ type, name: name.replace(/\.$/, ""), class: ask.class ?? "IN" }],
    additionals: ask.edns === undefined ? [] : [opt],
  });
}

/** The response of a nameserver to a question; bytes are sent as they are; null: no response. */
export type Script = (query: Required<Packet>, protocol: Protocol, bytes: Uint8Array) => Packet | Uint8Array | null;

/** A nameserver with a script. It adds ids and questions to the responses. */
export class ScriptedServer {
  readonly address: SocketAddress;
  /** All messages that it received, in order. */
  readonly asked: { readonly protocol: Protocol; readonly bytes: Uint8Array; readonly from: SocketAddress }[] = [];
  script: Script;
  readonly #sockets: (DatagramSocket | Listener)[];

  constructor(network: Network, address: SocketAddress, script: Script, namespace?: number) {
    this.address = address;
    this.script = script;
    const place = { address, ...(namespace === undefined ? {} : { namespace }) };
    const socket: DatagramSocket = network.udp(place, {
      onDatagram: (bytes, from) => {
        const answer = this.#answer(bytes.slice(), "udp", from);
        if (answer !== null) socket.send(answer, from);
      },
    });
    this.#sockets = [socket, network.listen(place, ({ duplex }) => this.#serve(duplex))];
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }

  /** The questions that it received: `A www.example.com`, by TCP `A www.example.com tcp`. */
  get questions(): string[] {
    return this.asked.map(({ bytes, protocol }) => {
      const [first] = decode(bytes).questions;
      return `${first?.type} ${first?.name}${protocol === "tcp" ? " tcp" : ""}`;
    });
  }

  #serve(duplex: Duplex): void {
    const frames = new FrameReader();
    const onReadable = () => {
      while (frames.readFrom(duplex) > 0);
      for (let frame = frames.next(); frame !== null; frame = frames.next()) {
        const answer = this.#answer(frame.slice(), "tcp", duplex.remote);
        if (answer !== null) duplex.write(framed(answer));
      }
      if (duplex.ended || duplex.broken) duplex.close();
    };
    duplex.start({ onReadable, onWritable() {}, onFailure: () => duplex.close() });
    if (duplex.readable) onReadable();
  }

  #answer(bytes: Uint8Array, protocol: Protocol, from: SocketAddress): Uint8Array | null {
    this.asked.push({ protocol, bytes, from });
    const query = readable(bytes);
    const answer = this.script(query, protocol, bytes);
    if (answer === null || answer instanceof Uint8Array) return answer;
    return encode({ type: "response", questions: query.questions, ...answer, id: query.id });
  }
}

/** The message; one without questions where the library cannot read the bytes. */
function readable(bytes: Uint8Array): Required<Packet> {
  try {
    return decode(bytes);
  } catch {
    return decode(encode({ type: "query", id: (bytes[0]! << 8) | bytes[1]!, questions: [] }));
  }
}

/** `flags` of a recursive server's answer with this code. */
export function answered(rcode = 0): number {
  return RECURSION_DESIRED | 0x80 | rcode;
}

/** A response for a name that does not exist. */
export function nxdomain(): Packet {
  return { flags: answered(3) };
}

/** The upstream of V8, which has one name. */
function onlyBing(query: Required<Packet>): Packet {
  const { name, type } = query.questions[0]!;
  if (name !== "www.bing.com" || type !== "A") return nxdomain();
  return {
    flags: answered(),
    answers: [{ name, type: "A", ttl: 60, data: "1.1.1.1" }],
    additionals: [{ name, type: "AAAA", ttl: 60, data: "::1" }],
  };
}

/** What differs from the default. */
interface BedOptions {
  readonly upstream?: Script;
  /** The client's address (default: {@link NAMESERVER}). */
  readonly nameserver?: string;
  /** Text of the proxy's `resolv.conf`. */
  readonly resolver?: string;
  readonly hosts?: string;
  readonly logFilter?: string;
  readonly changes?: readonly MeshChange[];
  readonly listen?: ServerAddress;
  readonly ipv6?: boolean;
  readonly searchDomains?: readonly string[] | null;
  /** The network of the proxy, for tests that have more than one proxy in it. */
  readonly network?: MemoryNetwork;
  readonly shared?: DnsProxyParts["shared"];
}

/** Default address of the nameserver. */
export const NAMESERVER: SocketAddress = { ip: parseIp("10.0.0.10")!, port: 53 };
const CLIENT_NAME = { name: "client", namespace: "ns1", serviceAccount: "default" };

/** A DNS proxy with its network, mesh and nameserver. */
export class Bed {
  readonly network: MemoryNetwork;
  readonly state = new MeshState();
  readonly metrics = new Metrics();
  readonly upstream: ScriptedServer;
  readonly proxy: DnsProxy;
  readonly #log;
  #ids = 0x1234;

  constructor(options: BedOptions = {}) {
    this.network = options.network ?? new MemoryNetwork();
    this.#log = testLog({ filter: options.logFilter ?? "info" });
    const nameserver = options.nameserver ?? NAMESERVER.ip;
    this.upstream = new ScriptedServer(
      this.network,
      { ip: parseIp(nameserver)!, port: 53 },
      options.upstream ?? onlyBing,
    );
    this.state.apply(
      options.changes ?? [...fixtureChanges(), { kind: "workload", workload: CLIENT, endpoints: new Map() }],
    );
    this.proxy = new DnsProxy({
      loop: makeLoop(this.network),
      state: this.state,
      local: new LocalWorkload(this.state, this.network, CLIENT_NAME),
      metrics: this.metrics,
      log: this.#log.log.scope("ztunnel::proxy"),
      shared: options.shared ?? newDnsShared(this.network),
      lookup: {
        clusterDomain: "cluster.local",
        searchDomains: options.searchDomains ?? null,
        preferredServiceNamespace: "preferred-ns",
        ipv6: options.ipv6 ?? true,
      },
      resolver: parseResolverFile(options.resolver ?? `nameserver ${nameserver}\n`),
      hosts: parseHostsFile(options.hosts ?? ""),
      listen: options.listen ?? { kind: "localhost", ipv6: true, port: 15053 },
      loopbackIpv6: true,
      sockets: {},
      listenSockets: {},
      announce: true,
      reusePort: false,
      siblings: 1,
      random: () => 0,
      fillRandom: (bytes) => {
        this.#ids = (this.#ids + 0x0101) & 0xffff;
        bytes.set([this.#ids >> 8, this.#ids & 255]);
      },
    });
  }

  /** Lines of the log without time. */
  get lines(): string[] {
    return this.#log.lines().map((line) => line.split("\t").slice(1).join(" ").trimEnd());
  }

  /** Sends a message and returns the answer, after `wait` ms at most; null: there was none. */
  exchange(bytes: Uint8Array, protocol: Protocol = "udp", wait = 0): Uint8Array | null {
    const client = protocol === "udp" ? this.udpClient() : this.tcpClient();
    client.send(bytes);
    this.network.advance(wait);
    client.close();
    assert.ok(client.received.length <= 1, "more than one answer");
    return client.received[0] ?? null;
  }

  /** Sends a question and returns the decoded answer. */
  ask(type: string, name: string, ask: Ask = {}, protocol: Protocol = "udp", wait = 0): Required<Packet> {
    const answer = this.exchange(question(type, name, ask), protocol, wait);
    assert.ok(answer !== null, `no answer for ${type} ${name}`);
    return decode(answer);
  }

  udpClient(to: SocketAddress = { ip: LOOPBACK_V4, port: 15053 }): TestClient {
    const received: Uint8Array[] = [];
    const ip = to.ip.includes(":") ? parseIp("::1")! : LOOPBACK_V4;
    const socket = this.network.udp({ address: { ip, port: 0 } }, { onDatagram: (b) => received.push(b.slice()) });
    return {
      received,
      send: (bytes) => void socket.send(bytes, to),
      close: () => socket.close(),
      get closed() {
        return false;
      },
    };
  }

  tcpClient(to: SocketAddress = { ip: LOOPBACK_V4, port: 15053 }): TestClient & { readonly duplex: Duplex } {
    const received: Uint8Array[] = [];
    const frames = new FrameReader();
    let connected: Duplex | null = null;
    let closed = false;
    this.network.dial(to, {}, {
      onConnect: (duplex) => connected = duplex,
      onDialFailure: (ending) => assert.fail(ending.message),
    });
    this.network.runUntilIdle();
    const duplex = connected! as Duplex;
    const onReadable = () => {
      while (frames.readFrom(duplex) > 0);
      for (let frame = frames.next(); frame !== null; frame = frames.next()) received.push(frame.slice());
      closed ||= duplex.ended || duplex.broken;
    };
    duplex.start({ onReadable, onWritable() {}, onFailure: () => closed = true });
    return {
      received,
      duplex,
      send: (bytes) => assert.equal(duplex.write(framed(bytes)), bytes.length + 2),
      close: () => duplex.close(),
      get closed() {
        return closed;
      },
    };
  }

  /** The sum of a counter over all series whose labels begin with `labels`. */
  count(family: string, labels = ""): number {
    const cells = this.metrics.snapshot().cells.filter((cell) =>
      cell.family === family && cell.labels.startsWith(labels)
    );
    return cells.reduce((sum, { value }) => sum + value, 0);
  }
}

/** A DNS client. */
interface TestClient {
  readonly received: readonly Uint8Array[];
  /** Sends a message; by TCP in its own frame. */
  send(bytes: Uint8Array): void;
  close(): void;
  /** The proxy has closed. */
  readonly closed: boolean;
}

/** Datagrams of the network in memory: delivered in the next turn, lost without a receiver or when its queue is full. */
import { ANY_V4, ANY_V6, formatAddress, type Ip, isIpv4, sameAddress, type SocketAddress } from "../address.ts";
import { type Binding, MemoryHosts, OWN_NAMESPACE } from "./memory_hosts.ts";
import type { MemoryScheduler } from "./memory_scheduler.ts";
import type { DatagramSink, DatagramSocket, ListenerState, TurnTask, UdpAt } from "../network.ts";

/** Datagrams, like the kernel's receive buffer: more are lost. */
const QUEUE_LIMIT = 256;
/** The largest payload of IPv4. */
const MAX_PAYLOAD = 65_507;

/** The UDP sockets of one network. */
export class MemoryDatagrams {
  readonly #scheduler: MemoryScheduler;
  readonly #hosts = new MemoryHosts<MemoryUdpSocket>();
  readonly #blackHoles = new Set<string>();

  constructor(scheduler: MemoryScheduler) {
    this.#scheduler = scheduler;
  }

  /** See `MemoryNetwork.assign`. */
  assign(namespace: number, ip: Ip): void {
    this.#hosts.assign(namespace, ip);
  }

  /** See `MemoryNetwork.blackhole`. */
  blackhole(address: SocketAddress): void {
    this.#blackHoles.add(formatAddress(address));
  }

  /** Opens a socket. Throws `ListenError`. */
  open(at: UdpAt, sink: DatagramSink): DatagramSocket {
    const address = at.address.port === 0 ? { ip: at.address.ip, port: this.#hosts.freePort() } : at.address;
    const { peer } = at;
    const source = peer === undefined ? address.ip : this.#hosts.sourceFor(at.namespace ?? OWN_NAMESPACE, peer.ip);
    const socket = new MemoryUdpSocket(this, at, isAny(address.ip) ? { ...address, ip: source } : address, sink);
    this.#hosts.bind(socket);
    return socket;
  }

  /** Sends a datagram. False: it cannot be sent. */
  deliver(from: MemoryUdpSocket, bytes: Uint8Array, to: SocketAddress): boolean {
    if (bytes.length > MAX_PAYLOAD || !canReach(from, to.ip)) return false;
    if (this.#blackHoles.has(formatAddress(to))) return true;
    const receiver = this.#hosts.find(from.namespace, to);
    if (receiver === null) {
      if (from.refuse()) this.#scheduler.report(from);
      return true;
    }
    const bound = isAny(from.local.ip) ? null : from.local.ip;
    const source = { ip: bound ?? this.#hosts.sourceFor(from.namespace, to.ip), port: from.local.port };
    if (receiver.take({ bytes: bytes.slice(), from: source })) this.#scheduler.report(receiver);
    return true;
  }

  remove(socket: MemoryUdpSocket): void {
    this.#hosts.unbind(socket);
  }
}

interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: SocketAddress;
}

class MemoryUdpSocket implements DatagramSocket, Binding, TurnTask {
  readonly local: SocketAddress;
  readonly namespace: number;
  readonly reusePort: boolean;
  readonly dualStack: boolean;
  readonly #network: MemoryDatagrams;
  readonly #sink: DatagramSink;
  readonly #peer: SocketAddress | null;
  #queue: Datagram[] = [];
  #refused = false;
  #retired = false;
  #closed = false;

  constructor(network: MemoryDatagrams, at: UdpAt, readonly address: SocketAddress, sink: DatagramSink) {
    this.#network = network;
    this.#sink = sink;
    this.local = address;
    this.namespace = at.namespace ?? OWN_NAMESPACE;
    this.reusePort = at.reusePort ?? false;
    this.dualStack = at.dualStack ?? true;
    this.#peer = at.peer ?? null;
  }

  send(bytes: Uint8Array, to: SocketAddress): boolean {
    return !this.#closed && this.#network.deliver(this, bytes, this.#peer ?? to);
  }

  /** What has arrived already is in the queue. */
  retire(): void {
    this.#retired = true;
    this.#network.remove(this);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue = [];
    this.#network.remove(this);
  }

  inspect(): ListenerState {
    const listening = !this.#closed && !this.#retired;
    return { listening, namespace: listening ? BigInt(this.namespace) : null };
  }

  take(datagram: Datagram): boolean {
    if (this.#peer !== null && !sameAddress(this.#peer, datagram.from)) return false;
    if (this.#queue.length >= QUEUE_LIMIT) return false;
    this.#queue.push(datagram);
    return true;
  }

  /** The destination refuses. Returns whether the user is notified: as in the kernel, only of a connected socket. */
  refuse(): boolean {
    this.#refused = this.#peer !== null;
    return this.#refused;
  }

  runTurn(): void {
    if (this.#refused && !this.#closed) {
      this.#refused = false;
      this.#sink.onFailure?.("ECONNREFUSED");
    }
    const arrived = this.#queue;
    this.#queue = [];
    for (const { bytes, from } of arrived) {
      if (this.#closed) return;
      this.#sink.onDatagram(bytes, from);
      // Only valid during the call: a test that keeps the bytes fails.
      bytes.fill(0);
    }
  }
}

function isAny(ip: Ip): boolean {
  return ip === ANY_V4 || ip === ANY_V6;
}

function canReach(from: MemoryUdpSocket, ip: Ip): boolean {
  return isIpv4(from.local.ip) ? isIpv4(ip) : from.dualStack || !isIpv4(ip);
}

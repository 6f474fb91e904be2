/**
 * A network in memory under virtual time: connections with back-pressure and resets, listeners in namespaces, redirection,
 * addresses that do not answer, TLS. Everything happens in the same order in each run, and tests of minutes take
 * milliseconds.
 */
import type { Millis } from "../clock.ts";
import { formatAddress, type Ip, isIpv4, type SocketAddress } from "../address.ts";
import { type Duplex, type Ending } from "../duplex.ts";
import { type DialAnswer, MemoryDial, type RedirectRule } from "./memory_dial.ts";
import { MemoryDuplex, type StreamOptions } from "./memory_duplex.ts";
import { BROKEN_PIPE } from "./memory_endings.ts";
import { type Binding, MemoryHosts, OWN_NAMESPACE } from "./memory_hosts.ts";
import { MemoryScheduler } from "./memory_scheduler.ts";
import { MemoryDatagrams } from "./memory_udp.ts";
import { secureInMemory } from "./memory_tls.ts";
import type * as net from "../network.ts";
import { ListenError } from "../network.ts";
import type { TlsContext, TlsSettings } from "../tls_context.ts";

/** The behaviour of a network. */
export interface MemoryNetworkOptions extends StreamOptions {
  /** Whether IP_TRANSPARENT can be set; default true, as for a privileged process. */
  readonly transparent?: boolean;
}

/** Implements {@link net.Network} for tests. */
export class MemoryNetwork extends MemoryScheduler implements net.Network {
  readonly #hosts = new MemoryHosts<MemoryListener>();
  readonly #datagrams = new MemoryDatagrams(this);
  readonly #blackHoles = new Set<string>();
  readonly #redirects: RedirectRule[] = [];
  readonly #options: MemoryNetworkOptions;

  constructor(options: MemoryNetworkOptions = {}) {
    super();
    this.#options = options;
  }

  /** Assigns `ip` to a namespace: all namespaces reach it there, and it is the source of dials from there. */
  assign(namespace: number, ip: Ip): void {
    this.#hosts.assign(namespace, ip);
    this.#datagrams.assign(namespace, ip);
  }

  /** Dials and datagrams to this address get no answer from now on. */
  blackhole(address: SocketAddress): void {
    this.#blackHoles.add(formatAddress(address));
    this.#datagrams.blackhole(address);
  }

  /** The address answers again: dials of before notice it with their next attempt. */
  restore(address: SocketAddress): void {
    this.#blackHoles.delete(formatAddress(address));
  }

  /** Adds a rule. The first one that does not return null redirects a dial; the listener gets its original destination. */
  redirect(rule: RedirectRule): void {
    this.#redirects.push(rule);
  }

  /** The next write of this stream returns `FAILED`. Only for streams of this network, not TLS. */
  failWrites(duplex: Duplex, ending: Ending = BROKEN_PIPE): void {
    own(duplex).failNextWrite(ending);
  }

  /** Breaks a stream, as `ETIMEDOUT` of keepalive does: its peer is not notified. */
  breakStream(duplex: Duplex, ending: Ending): void {
    own(duplex).breakWith(ending);
  }

  /** Two connected streams without a listener. */
  pair(options: StreamOptions = this.#options): [a: MemoryDuplex, b: MemoryDuplex] {
    const a = { ip: "127.0.0.1" as Ip, port: this.#hosts.freePort() };
    const b = { ip: "127.0.0.1" as Ip, port: this.#hosts.freePort() };
    return MemoryDuplex.pair(this, { a: { local: a, remote: b }, b: { local: b, remote: a } }, options);
  }

  listen(at: net.ListenAt, accept: (accepted: net.Accepted) => void): net.Listener {
    const canBeTransparent = this.#options.transparent ?? true;
    if (at.transparent === "require" && !canBeTransparent) {
      const text = `failed to bind to address ${formatAddress(at.address)}: Operation not permitted (os error 1)`;
      throw new ListenError(text, "EPERM", at.address);
    }
    const address = at.address.port === 0 ? { ip: at.address.ip, port: this.#hosts.freePort() } : at.address;
    const transparent = at.transparent !== undefined && canBeTransparent;
    const listener = new MemoryListener(at, address, transparent, accept, (closed) => this.#hosts.unbind(closed));
    this.#hosts.bind(listener);
    return listener;
  }

  udp(at: net.UdpAt, sink: net.DatagramSink): net.DatagramSocket {
    return this.#datagrams.open(at, sink);
  }

  dial(to: SocketAddress, options: net.DialOptions, events: net.DialEvents): net.Dial {
    return new MemoryDial(this, options, () => this.#answer(to, options), events);
  }

  secure(
    plain: Duplex,
    context: TlsContext,
    role: "client" | "server",
    timeout: Millis,
    events: net.SecureEvents,
  ): net.Handshake {
    return secureInMemory(this, plain, context.settings, role, timeout, events);
  }

  #answer(to: SocketAddress, options: net.DialOptions): DialAnswer {
    const namespace = options.namespace ?? OWN_NAMESPACE;
    const landing = this.#redirected(to, namespace, options.mark ?? null);
    const target = landing ?? to;
    if (this.#blackHoles.has(formatAddress(target))) return "silence";
    const listener = this.#hosts.find(namespace, target);
    if (listener === null) return "refused";
    const local = this.#source(namespace, to, options.source);
    const ends = { a: { local, remote: to }, b: { local: target, remote: local } };
    const [ours, theirs] = MemoryDuplex.pair(this, ends, this.#options);
    this.report(new Arrival(listener, theirs, landing === null ? null : to));
    return ours;
  }

  #redirected(to: SocketAddress, namespace: number, mark: number | null): SocketAddress | null {
    for (const rule of this.#redirects) {
      const landing = rule({ to, namespace, mark });
      if (landing !== null) return landing;
    }
    return null;
  }

  #source(namespace: number, to: SocketAddress, wanted: SocketAddress | undefined): SocketAddress {
    const usable = wanted !== undefined && isIpv4(wanted.ip) === isIpv4(to.ip) ? wanted : undefined;
    return { ip: usable?.ip ?? this.#hosts.sourceFor(namespace, to.ip), port: usable?.port || this.#hosts.freePort() };
  }
}

class MemoryListener implements net.Listener, Binding {
  readonly local: SocketAddress;
  readonly namespace: number;
  readonly reusePort: boolean;
  readonly dualStack: boolean;
  readonly #unbind: (listener: MemoryListener) => void;
  open = true;

  constructor(
    at: net.ListenAt,
    readonly address: SocketAddress,
    readonly transparent: boolean,
    readonly accept: (accepted: net.Accepted) => void,
    unbind: (listener: MemoryListener) => void,
  ) {
    this.local = address;
    this.namespace = at.namespace ?? OWN_NAMESPACE;
    this.reusePort = at.reusePort ?? false;
    this.dualStack = at.dualStack ?? true;
    this.#unbind = unbind;
  }

  close(): void {
    this.open = false;
    this.#unbind(this);
  }

  retire(done: () => void): void {
    this.close();
    done();
  }

  inspect(): net.ListenerState {
    return { listening: this.open, namespace: BigInt(this.namespace) };
  }
}

/** A connection in the backlog: it is accepted in the next turn, or reset if the listener is closed by then. */
class Arrival implements net.TurnTask {
  constructor(
    readonly listener: MemoryListener,
    readonly duplex: MemoryDuplex,
    readonly original: SocketAddress | null,
  ) {}

  runTurn(): void {
    if (!this.listener.open) this.duplex.close(true);
    else this.listener.accept({ duplex: this.duplex, originalDestination: () => this.original });
  }
}

/** A context for {@link MemoryNetwork.secure}. */
export function memoryTlsContext(settings: TlsSettings): TlsContext {
  return { settings, close() {} };
}

function own(duplex: Duplex): MemoryDuplex {
  if (duplex instanceof MemoryDuplex) return duplex;
  throw new TypeError("Cannot inject a fault: the stream is not an in-memory one");
}

/**
 * What the rooms above need of the system: connections, datagrams and time. The reactor implements it on Linux, the
 * network in memory implements it for tests under virtual time. Both pass the tests of `testkit/contract.ts`.
 *
 * Results come by callbacks and not by promises, because no microtask runs while a worker is in its event loop
 * (`docs/architecture.md`, "Threads").
 */
import type { SocketAddress } from "./address.ts";
import type { Clock, Millis } from "./clock.ts";
import type { Duplex, Ending } from "./duplex.ts";
import type { SourcePorts } from "./source_ports.ts";
import type { PeerRefusal, TlsContext, TlsPeer } from "./tls_context.ts";

/** Work for the end of this turn or for the next turn. An object is queued once, however often it is added. */
export interface TurnTask {
  runTurn(): void;
}

/** The clock and the turns of an event loop. */
export interface Scheduler extends Clock {
  /** Monotonic, and read once a turn. */
  now(): Millis;
  /** How many turns have begun. */
  readonly turn: number;
  /** Runs `task` when all events of this turn have been handled: the time to pass gathered bytes to the kernel. */
  atTurnEnd(task: TurnTask): void;
  /**
   * Runs the tasks of the turn's end when the current callback has returned, and then continues this turn. It limits the
   * memory that many connections hold until the turn's end.
   */
  endTurnSoon(): void;
  /** Runs `task` in the next turn, which then does not wait for events: for work that has used up its budget. */
  nextTurn(task: TurnTask): void;
}

/** Socket options of a listener or a dialled connection. Where one is missing the kernel's default applies. */
export interface SocketOptions {
  /** SO_MARK; needs CAP_NET_ADMIN. */
  readonly mark?: number;
  readonly keepalive?: { readonly idleSeconds: number; readonly intervalSeconds: number; readonly probes: number };
  /** TCP_USER_TIMEOUT, ms. */
  readonly userTimeout?: Millis;
  /** Descriptor of the network namespace in which the socket is made. Default: this thread's own. */
  readonly namespace?: number;
}

/** Where and how to listen for TCP connections. */
export interface ListenAt extends SocketOptions {
  readonly address: SocketAddress;
  /** SO_REUSEPORT before bind. */
  readonly reusePort?: boolean;
  /** How many listeners of this process share the port, this one included (default 1). */
  readonly siblings?: number;
  /** IP_TRANSPARENT. `require`: without it the listen fails. `try`: `Listener.transparent` says whether it is set. */
  readonly transparent?: "require" | "try";
  /** Default 4096. */
  readonly backlog?: number;
  /** `::` also takes IPv4 (default true). */
  readonly dualStack?: boolean;
}

/** A listening TCP socket. */
export interface Listener {
  readonly local: SocketAddress;
  readonly transparent: boolean;
  /** Stops accepting at once. Accepted connections are not affected. Idempotent. */
  close(): void;
  /**
   * Stops accepting without resetting connections: other processes that share the port get new ones, handshakes that have
   * begun are awaited and accepted, then the listener closes and `done` is called. When the port is not shared it closes
   * at once. After {@link close} nothing is called any more.
   */
  retire(done: () => void): void;
  /** Asks the kernel for the state of the socket. */
  inspect(): ListenerState;
}

/** What the kernel reports about a listener or a datagram socket. Without a socket: `false` and null. */
export interface ListenerState {
  /** A listener accepts; a datagram socket is bound and receives what is sent to its address. */
  readonly listening: boolean;
  /** Cookie of its network namespace, the same for all sockets in there and for no other (SO_NETNS_COOKIE). */
  readonly namespace: bigint | null;
}

/** The address of a datagram socket and its options. */
export interface UdpAt extends Pick<SocketOptions, "mark" | "namespace"> {
  /** Port 0: the kernel chooses one. */
  readonly address: SocketAddress;
  /** SO_REUSEPORT before bind. */
  readonly reusePort?: boolean;
  /** `::` also takes IPv4 (default true). */
  readonly dualStack?: boolean;
  /**
   * Connects the socket: it receives datagrams of this address only, sends all to it, and reports when it refuses them. With
   * a wildcard address and port 0 the kernel then chooses the source address, and the port at random.
   */
  readonly peer?: SocketAddress;
}

/** The user of a datagram socket. */
export interface DatagramSink {
  /**
   * A datagram has arrived. `bytes` is valid until the call returns. An answer to `from` leaves from the address to which
   * the datagram was sent. Datagrams that cannot be answered (port 0, an unspecified or broadcast source) are dropped.
   */
  onDatagram(bytes: Uint8Array, from: SocketAddress): void;
  /** The peer of a connected socket refuses datagrams (`ECONNREFUSED`), or has no route. `code`: name of an errno. */
  onFailure?(code: string): void;
}

/** A UDP socket. */
export interface DatagramSocket {
  readonly local: SocketAddress;
  /**
   * Sends one datagram: at once, or after the callbacks of this batch when it is called by `onDatagram`. False: it is lost
   * (no room, no route, too long, socket closed). True: it may still be lost.
   */
  send(bytes: Uint8Array, to: SocketAddress): boolean;
  /**
   * Other sockets that share the port receive what is sent from now on. What has arrived already is delivered before this
   * returns, or in the next turn. Sending is not affected. Idempotent.
   */
  retire(): void;
  /** Receives nothing any more. Idempotent. */
  close(): void;
  /** Asks the kernel for the state of the socket. */
  inspect(): ListenerState;
}

/** An accepted connection. */
export interface Accepted {
  readonly duplex: Duplex;
  /**
   * Returns the destination of the client before redirection (SO_ORIGINAL_DST, IPv4 then IPv6). Null: the connection was
   * not redirected; then `duplex.local` is its destination (TPROXY), or the client called the listener itself. Costs one
   * system call.
   */
  originalDestination(): SocketAddress | null;
}

/** Options of a dialled connection. */
export interface DialOptions extends SocketOptions {
  /**
   * The source address, which is bound with IP_TRANSPARENT and IP_FREEBIND. When that fails the dial continues, and the
   * connection has another `local.ip`, which the caller may log.
   */
  readonly source?: SocketAddress;
  /**
   * Where the port of {@link source} comes from when that is 0. When some ports in a row are in use, and by default, the
   * kernel chooses the port.
   */
  readonly sourcePorts?: SourcePorts | null;
  /** Default 10,000 ms, for the whole dial. */
  readonly timeout?: Millis;
  /** Time after which a socket that got no answer is replaced by a fresh one, which sends a SYN at once. Default: never. */
  readonly attemptTimeout?: Millis;
}

/** One of the two is called once, unless the dial was aborted, and never from inside of `dial`. */
export interface DialEvents {
  onConnect(duplex: Duplex): void;
  onDialFailure(ending: Ending): void;
}

/** A dial in progress. */
export interface Dial {
  /** Closes the socket; no event follows. Idempotent. */
  abort(): void;
}

/** A TLS handshake in progress. */
export interface Handshake extends Dial {
  /** Since when we have been waiting for the peer; null: the peer waits for us. */
  readonly peerSince: Millis | null;
}

/** The callbacks of a TLS handshake. One of `onSecure` and `onSecureFailure` is called once, unless it was aborted. */
export interface SecureEvents {
  /** Decides on the verified path in place of the context's `accept`, for expectations of one connection. */
  accept?(chain: readonly Uint8Array[]): PeerRefusal | null;
  /** Returns text to append to the TLS library's reason when there is no valid path for the peer's certificate (DER). */
  explain?(leaf: Uint8Array): string;
  /** The handshake is done. `duplex` replaces the plain stream, which must not be used any more. */
  onSecure(duplex: Duplex, peer: TlsPeer): void;
  /** The handshake has failed and the plain stream is closed. The message is the TLS library's reason or that of `accept`. */
  onSecureFailure(ending: Ending): void;
}

/** Connections and datagrams, on an event loop. */
export interface Network extends Scheduler {
  /** Listens for TCP connections. Throws {@link ListenError}. */
  listen(at: ListenAt, accept: (accepted: Accepted) => void): Listener;
  /** Opens a UDP socket. Throws {@link ListenError}. */
  udp(at: UdpAt, sink: DatagramSink): DatagramSocket;
  /** Begins to connect to an address. */
  dial(to: SocketAddress, options: DialOptions, events: DialEvents): Dial;
  /** Begins a TLS handshake on a connected stream that was not started. `timeout`: of the peer, in all. */
  secure(
    plain: Duplex,
    context: TlsContext,
    role: "client" | "server",
    timeout: Millis,
    events: SecureEvents,
  ): Handshake;
}

/** Listening failed: `failed to bind to address {address}: {reason}`. `code` is the name of an errno. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  constructor(message: string, readonly code: string, readonly address: SocketAddress) {
    super(message);
  }
}

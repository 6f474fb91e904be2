/**
 * What the rooms above need from the world: connections, datagrams, time. The reactor implements it on Linux, the
 * in-memory network implements it for tests under virtual time; both pass the suite in `contract.ts`.
 *
 * Callbacks, not promises, wherever a connection is made for traffic: while a worker sits in its loop no microtask
 * runs (`docs/architecture.md`, "Threads").
 */
import type { SocketAddress } from "./address.ts";
import type { Clock, Millis } from "./clock.ts";
import type { Duplex, Ending } from "./duplex.ts";
import type { PeerRefusal, TlsContext, TlsPeer } from "./tls_context.ts";

/** Something with work for the end of this turn or the start of the next. One object is queued at most once a turn. */
export interface TurnTask {
  runTurn(): void;
}

/** The clock and the turns of an event loop. */
export interface Scheduler extends Clock {
  /** Monotonic, and read once a turn. */
  now(): Millis;
  /** Turns of the loop so far. */
  readonly turn: number;
  /** Runs after every event of this turn was handled: the place to hand gathered bytes to the kernel. */
  atTurnEnd(task: TurnTask): void;
  /**
   * Runs the tasks of the turn's end as soon as the current callback has returned, and then continues this turn. For
   * memory that many connections hold until the turn's end.
   */
  endTurnSoon(): void;
  /** Runs in the next turn, which then does not wait: for work that used up its budget. */
  nextTurn(task: TurnTask): void;
}

/** Socket options of a listener or a dialled connection. Missing means the kernel's default. */
export interface SocketOptions {
  /** SO_MARK; needs CAP_NET_ADMIN. */
  readonly mark?: number;
  readonly keepalive?: { readonly idleSeconds: number; readonly intervalSeconds: number; readonly probes: number };
  /** TCP_USER_TIMEOUT, ms. */
  readonly userTimeout?: Millis;
  /** Descriptor of the network namespace in which the socket is made; this thread's own where missing. */
  readonly namespace?: number;
}

export interface ListenAt extends SocketOptions {
  readonly address: SocketAddress;
  /** SO_REUSEPORT before bind. */
  readonly reusePort?: boolean;
  /** Listeners of this process that share the port, this one among them (default 1). */
  readonly siblings?: number;
  /** `require`: failing to set IP_TRANSPARENT fails the listen. `try`: `Listener.transparent` says what came of it. */
  readonly transparent?: "require" | "try";
  /** Default 4096. */
  readonly backlog?: number;
  /** `::` also takes IPv4 (default true). */
  readonly dualStack?: boolean;
}

export interface Listener {
  readonly local: SocketAddress;
  readonly transparent: boolean;
  /** Stops accepting at once; accepted connections go on. Idempotent. */
  close(): void;
  /**
   * Stops accepting without a reset to anybody: connections that begin from now on are left to other processes that
   * share the port, those that have begun are waited for and taken, `done` is called. At once where ports are not
   * shared. After {@link close} nothing is called any more.
   */
  retire(done: () => void): void;
  inspect(): ListenerState;
}

/** Of a listener or a datagram socket, as the kernel tells it; `false` and null where it knows of none. */
export interface ListenerState {
  /** Of a datagram socket: it is bound, and what is sent there is received here. */
  readonly listening: boolean;
  /** Cookie of its network namespace, the same for all sockets in there and for no other (SO_NETNS_COOKIE). */
  readonly namespace: bigint | null;
}

/** Where datagrams are received, and sent from. */
export interface UdpAt extends Pick<SocketOptions, "mark" | "namespace"> {
  /** Port 0: one that the kernel chooses. */
  readonly address: SocketAddress;
  /** SO_REUSEPORT before bind. */
  readonly reusePort?: boolean;
  /** `::` also takes IPv4 (default true). */
  readonly dualStack?: boolean;
  /**
   * Connected to this address: only its datagrams are received, all go to it, and it can refuse. A wildcard address
   * with port 0 then leaves source and port to the kernel, which draws the port at random.
   */
  readonly peer?: SocketAddress;
}

export interface DatagramSink {
  /**
   * `bytes` is lent: valid until the call returns. An answer to `from` leaves from the address that was asked. What cannot
   * be answered (port 0, an unspecified or broadcast source) is not delivered.
   */
  onDatagram(bytes: Uint8Array, from: SocketAddress): void;
  /** The peer of a connected socket refuses (`ECONNREFUSED`), or the way there is gone. An errno name. */
  onFailure?(code: string): void;
}

export interface DatagramSocket {
  readonly local: SocketAddress;
  /**
   * Sends one datagram; from within `onDatagram`, right after the callbacks of this batch. False: it is lost already (no
   * room, no route, too long, socket closed). True promises nothing, as is the way of datagrams.
   */
  send(bytes: Uint8Array, to: SocketAddress): boolean;
  /**
   * What is sent here from now on goes to others who share the port; what has come already is delivered before this
   * returns or in the next turn. Sending goes on. Idempotent.
   */
  retire(): void;
  /** Nothing is received any more. Idempotent. */
  close(): void;
  inspect(): ListenerState;
}

export interface Accepted {
  readonly duplex: Duplex;
  /**
   * Where the client wanted to go before redirection (SO_ORIGINAL_DST, IPv4 then IPv6), or null where there was none;
   * then `duplex.local` is the answer (TPROXY) or the client called the listener itself. Asked for on demand: one
   * system call.
   */
  originalDestination(): SocketAddress | null;
}

export interface DialOptions extends SocketOptions {
  /**
   * Bind before connecting: with TRANSPARENT and FREEBIND. A failure to bind is not fatal: the connection then has
   * another `local.ip`, which the caller may log.
   */
  readonly source?: SocketAddress;
  /** Default 10,000 ms, for the whole dial. */
  readonly timeout?: Millis;
}

/** One of the two is called, once, unless the dial was aborted. Never from inside `dial`. */
export interface DialEvents {
  onConnect(duplex: Duplex): void;
  onDialFailure(ending: Ending): void;
}

export interface Dial {
  /** Gives up: closes what was begun, no event follows. Idempotent. */
  abort(): void;
}

/** A TLS handshake in progress. */
export interface Handshake extends Dial {
  /** Since when we have been waiting for the peer; null: the peer waits for us. */
  readonly peerSince: Millis | null;
}

export interface SecureEvents {
  /** Decides on the verified path instead of the context's own `accept`: for expectations of one connection. */
  accept?(chain: readonly Uint8Array[]): PeerRefusal | null;
  /** Returns text to append to the engine's reason when no valid path was found for the peer's certificate (DER). */
  explain?(leaf: Uint8Array): string;
  /** `duplex` replaces the plain one, which must not be touched again. */
  onSecure(duplex: Duplex, peer: TlsPeer): void;
  /** The plain stream has been closed. `message` names OpenSSL's reason or the verifier's. */
  onSecureFailure(ending: Ending): void;
}

export interface Network extends Scheduler {
  /** Throws {@link ListenError}. */
  listen(at: ListenAt, accept: (accepted: Accepted) => void): Listener;
  /** Throws {@link ListenError}. */
  udp(at: UdpAt, sink: DatagramSink): DatagramSocket;
  dial(to: SocketAddress, options: DialOptions, events: DialEvents): Dial;
  /** TLS over a connected stream that was not started. `timeout`: the time in which the peer must answer. */
  secure(
    plain: Duplex,
    context: TlsContext,
    role: "client" | "server",
    timeout: Millis,
    events: SecureEvents,
  ): Handshake;
}

/** `failed to bind to address {address}: {reason}`; `code` is an errno name. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  constructor(message: string, readonly code: string, readonly address: SocketAddress) {
    super(message);
  }
}

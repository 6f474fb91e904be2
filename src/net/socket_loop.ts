/** What sockets need of the event loop that watches them, `Reactor` of `reactor.ts`. */
import type { SpareDescriptor } from "../os/spare_descriptor.ts";
import type { SocketAddress } from "./address.ts";
import type { RecordBuffers } from "./record_buffers.ts";
import type { TcpResets } from "./tcp_reset.ts";
import type { LateKeepalive } from "./late_keepalive.ts";
import type { Millis } from "./clock.ts";
import type { Scheduler } from "./network.ts";
import type { HandshakeLoop } from "./handshake_queue.ts";

/** Handles the events of a descriptor that it owns. */
export interface FdHandler {
  /** `flags` is a mask of EPOLL*. */
  onEvents(flags: number): void;
}

/** A socket that its user has closed and that still sends its last bytes. It limits the time for that itself. */
export interface LingeringSocket {
  /** Closes it without waiting any longer. */
  closeNow(): void;
}

/** What the event loop reports. */
export interface LoopEvents {
  /**
   * The process ran out of descriptors (or of memory: `code` is an errno name): `count` connections to `address` were
   * accepted and closed at once, and accepting pauses. Called at most once in ten seconds for each listener.
   */
  onShed(count: number, address: SocketAddress, code: string): void;
  /**
   * The kernel has lost the redirection of a connection from `client` to `destination` that has ended. The client's side
   * was ended; `error`: the name of an errno where that failed, so that the client may wait for ever.
   */
  onLostRedirection?(client: SocketAddress, destination: SocketAddress, error: string | null): void;
  /** The source address of a dial could not be bound: the dial goes on from another one. `code`: an errno name. */
  onSourceRefused?(source: SocketAddress, code: string): void;
  /** Several ports were in use for the source address of a dial: the kernel chooses one, from the range of clients. */
  onSourcePortsInUse?(source: SocketAddress, to: SocketAddress): void;
  /** A callback has thrown. The loop continues; the object that threw may be in any state. */
  onError(error: unknown): void;
}

/** The event loop, as sockets use it. */
export interface SocketLoop extends Scheduler, HandshakeLoop {
  readonly events: LoopEvents;
  /** They are closed when the loop ends. */
  readonly lingering: Set<LingeringSocket>;
  now(): Millis;
  /** Shared by all listeners of this loop. */
  readonly spare: SpareDescriptor;
  readonly keepalive: LateKeepalive;
  readonly records: RecordBuffers;
  /** For sessions over another stream, which may have a session below that uses {@link records}. */
  readonly layeredRecords: RecordBuffers;
  readonly resets: TcpResets;

  /** Calls `handler` for events of `fd`. `flags`: as for epoll_ctl(2). Throws {@link SystemError}. */
  watch(fd: number, flags: number, handler: FdHandler): void;
  /** Calls another handler for events of a watched descriptor. */
  rewatch(fd: number, handler: FdHandler): void;
  /** Reports no events of `fd` until {@link resume}. */
  suspend(fd: number): void;
  /** Ends {@link suspend}. */
  resume(fd: number, flags: number): void;
  /**
   * Closes a descriptor at the end of the turn, so that a pending event never reaches another socket with the same number.
   * Closing removes it from epoll. When many are released at once, some are closed in later turns.
   */
  release(fd: number): void;
}

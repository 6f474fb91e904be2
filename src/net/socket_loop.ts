/** What sockets need of the loop that watches them. {@link Reactor} of `reactor.ts` is it. */
import type { SpareDescriptor } from "../os/spare_descriptor.ts";
import type { SocketAddress } from "./address.ts";
import type { LateKeepalive } from "./late_keepalive.ts";
import type { Millis } from "./clock.ts";
import type { Scheduler } from "./network.ts";
import type { HandshakeLoop } from "./handshake_queue.ts";

/** What a descriptor's owner does with its events. */
export interface FdHandler {
  /** `flags` is a mask of EPOLL*. */
  onEvents(flags: number): void;
}

/** A socket whose user is done with it, while it still has something to say. Bounded in time by itself. */
export interface Leaving {
  closeNow(): void;
}

export interface LoopEvents {
  /**
   * The process ran out of descriptors (or of memory: `code` is an errno name): `count` connections to `address` were
   * accepted and closed at once, and accepting pauses. Said at most once in ten seconds for each listener.
   */
  onShed(count: number, address: SocketAddress, code: string): void;
  /** A callback threw. The loop goes on; whoever threw is broken. */
  onError(error: unknown): void;
}

export interface SocketLoop extends Scheduler, HandshakeLoop {
  readonly events: LoopEvents;
  /** Closed with the loop. */
  readonly leaving: Set<Leaving>;
  now(): Millis;
  /** Of all listeners of this loop. */
  readonly spare: SpareDescriptor;
  readonly keepalive: LateKeepalive;

  /** Gives `fd` to `handler`. `flags` as for epoll_ctl. Throws {@link SystemError}. */
  watch(fd: number, flags: number, handler: FdHandler): void;
  /** Hands a watched descriptor to another owner. */
  rewatch(fd: number, handler: FdHandler): void;
  /** Takes a descriptor out of the loop for a while; its owner keeps it. */
  suspend(fd: number): void;
  /** Ends {@link suspend}. */
  resume(fd: number, flags: number): void;
  /**
   * Closes a descriptor at the end of the turn, so that an event still in the batch never meets a reused number.
   * Closing takes it out of epoll. When many are released at once, some wait for later turns.
   */
  release(fd: number): void;
}

/**
 * Unix SEQPACKET sockets: whole packets with descriptors attached, as Istio's node agent sends them
 * (`docs/spec/inpod-dns.md` A1.1, A1.3). The user receives packets one by one; a user that does not stops the sender.
 */
import * as c from "../os/constants.ts";
import { EAGAIN } from "../os/errno.ts";
import { errno } from "../os/libc.ts";
import type { OwnedDescriptor } from "../os/owned_descriptor.ts";
import { sendMessage, UnixMessageReceiver } from "../os/unix_message.ts";
import type { Ending } from "./duplex.ts";
import { CLOSED, endingOf } from "./endings.ts";
import type { FdHandler, SocketLoop } from "./socket_loop.ts";
import { DescriptorListener, listenDescriptor, type UnixListener } from "./unix.ts";
import { connectToPath } from "./unix_path.ts";

/** Limits of one packet. */
interface PacketLimits {
  /** Longest packet in bytes; a longer one arrives `truncated`. */
  readonly bytes: number;
  /** The most descriptors of a packet. The kernel may deliver one more; with more the packet is `truncated`. */
  readonly descriptors: number;
}

/** The limits of the agent's protocol. */
const ZDS_LIMITS: PacketLimits = { bytes: 1024, descriptors: 1 };

/** The result of {@link PacketSocket.receive}. */
export type Reception =
  | {
    readonly kind: "packet";
    /** Valid until the next `receive` or `close`, as are the descriptors that the user did not take. */
    readonly bytes: Uint8Array;
    readonly descriptors: readonly OwnedDescriptor[];
    /** Bytes or descriptors were cut off. */
    readonly truncated: boolean;
  }
  | { readonly kind: "nothing" }
  /** The peer has closed (`how` is "fin"; an empty packet looks the same), or the socket is broken. */
  | { readonly kind: "end"; readonly ending: Ending };

/** The user of a packet socket. */
export interface PacketSink {
  /** There is a packet, or the end. Called again only after `receive` has found nothing. */
  onReadable(): void;
}

const NOTHING: Reception = Object.freeze({ kind: "nothing" });
const END: Ending = Object.freeze({ by: "peer", how: "fin", code: "CLOSED", message: "peer closed the connection" });

/** A connected socket for packets. */
export class PacketSocket implements FdHandler {
  readonly #loop: SocketLoop;
  readonly #fd: number;
  readonly #buffer: Uint8Array;
  readonly #receiver: UnixMessageReceiver;
  #sink: PacketSink | null = null;
  #untaken: readonly OwnedDescriptor[] = [];
  #ending: Ending | null = null;
  #closed = false;

  /** Owns `fd`. */
  constructor(loop: SocketLoop, fd: number, limits: PacketLimits) {
    this.#loop = loop;
    this.#fd = fd;
    this.#buffer = new Uint8Array(limits.bytes);
    this.#receiver = new UnixMessageReceiver(limits.descriptors);
  }

  /** Sets the user. Packets that have arrived already are announced. Only the first call has an effect. */
  start(sink: PacketSink): void {
    if (this.#closed || this.#sink !== null) return;
    this.#sink = sink;
    this.#loop.watch(this.#fd, c.EPOLLIN | c.EPOLLRDHUP | c.EPOLLET, this);
  }

  onEvents(): void {
    if (!this.#closed) this.#sink?.onReadable();
  }

  /** Receives the next packet. Closes the descriptors of the last packet that the user did not take. */
  receive(): Reception {
    this.#closeUntaken();
    if (this.#ending !== null) return { kind: "end", ending: this.#ending };
    const message = this.#receiver.receive(this.#fd, this.#buffer);
    if (message === null) {
      const failed = errno();
      return failed === EAGAIN ? NOTHING : this.#end(endingOf(failed));
    }
    this.#untaken = message.descriptors;
    if (message.length === 0) {
      this.#closeUntaken();
      return this.#end(END);
    }
    const { length, descriptors, truncated } = message;
    return { kind: "packet", bytes: this.#buffer.subarray(0, length), descriptors, truncated };
  }

  /**
   * Sends one packet with descriptors, which the caller still owns. Null: it was sent. `EAGAIN`: the peer does not read.
   */
  send(bytes: Uint8Array, descriptors: readonly number[] = []): Ending | null {
    if (this.#closed) return CLOSED;
    return sendMessage(this.#fd, bytes, descriptors) < 0 ? endingOf(errno()) : null;
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sink = null;
    this.#ending ??= CLOSED;
    this.#closeUntaken();
    this.#loop.release(this.#fd);
  }

  #end(ending: Ending): Reception {
    this.#ending = ending;
    return { kind: "end", ending };
  }

  #closeUntaken(): void {
    for (const descriptor of this.#untaken) descriptor.close();
    this.#untaken = [];
  }
}

/**
 * Connects at once, or returns why not: `ENOENT`, `ECONNREFUSED`, `EPROTOTYPE` (not a SEQPACKET socket) or `EAGAIN` (the
 * backlog is full).
 */
export function connectPackets(loop: SocketLoop, path: string, limits = ZDS_LIMITS): PacketSocket | Ending {
  const fd = connectToPath(c.SOCK_SEQPACKET, path);
  return fd < 0 ? endingOf(-fd) : new PacketSocket(loop, fd, limits);
}

/** Listens at a path, as the agent does. Throws `SystemError`. */
export function listenPackets(
  loop: SocketLoop,
  path: string,
  onAccept: (socket: PacketSocket) => void,
  limits = ZDS_LIMITS,
): UnixListener {
  const onSocket = (fd: number) => onAccept(new PacketSocket(loop, fd, limits));
  return new DescriptorListener(loop, listenDescriptor(c.SOCK_SEQPACKET, path), onSocket);
}

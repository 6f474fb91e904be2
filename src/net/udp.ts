/**
 * UDP sockets on the event loop. Datagrams are received in batches, and those that callbacks send leave together after the
 * batch: at 100,000 datagrams a second, system calls are most of the work.
 */
import * as c from "../os/constants.ts";
import { DatagramReceiver, DatagramSender, NAME_WORDS } from "../os/datagrams.ts";
import { EAGAIN, errnoName } from "../os/errno.ts";
import { errno } from "../os/libc.ts";
import { libc } from "../os/libc_sockets.ts";
import { getOption, namespaceCookie, sendTo, setOption, socketName } from "../os/socket.ts";
import {
  ANY_V4,
  ANY_V6,
  type Ip,
  isIpv4,
  LOOPBACK_V4,
  LOOPBACK_V6,
  sameAddress,
  type SocketAddress,
} from "./address.ts";
import type { DatagramSink, DatagramSocket, ListenerState, UdpAt } from "./network.ts";
import type { FdHandler, SocketLoop } from "./socket_loop.ts";
import { decodeSockaddr, encodeSockaddr, familyOf, SOCKADDR_LENGTH } from "./sockaddr.ts";
import { makeSocket } from "./socket_options.ts";
import { listenError } from "./tcp_listener.ts";

/** Datagrams of one socket in one turn. The loop announces the rest in the next turn. */
const DATAGRAMS_PER_EVENT = 128;
const BATCH = 32;
/** Holds any UDP payload. */
const SLOT_SIZE = 65_536;
/** Bytes of datagrams that are gathered before they are sent. */
const GATHERED_SIZE = 65_536;
/** Batches that fit into a socket's buffer. */
const MAX_BATCHES_LEFT = 64;
/** The largest payload of IPv4; IPv6 would carry 20 bytes more. */
const MAX_PAYLOAD = 65_507;

/** One for all sockets of the isolate. Its datagrams are valid until the callback returns. */
let receiver: DatagramReceiver | null = null;
let sender: DatagramSender | null = null;
/** Datagrams of a socket are being delivered: no others may be received meanwhile. */
let delivering = false;

/** The source of a datagram, in the kernel's format. It is decoded on demand: most answers do not need the text. */
class Source implements SocketAddress {
  readonly words = new Int32Array(NAME_WORDS);
  readonly #socket: UdpSocket;
  /** The address to which the datagram was sent, for sockets that have several. */
  info: Int32Array | null = null;
  #ip: Ip | null = null;

  constructor(socket: UdpSocket) {
    this.#socket = socket;
  }

  arrivedAt(socket: UdpSocket): boolean {
    return this.#socket === socket;
  }

  /** False for port 0 and for the unspecified and the broadcast address: an answer would go to another host. */
  get canBeAnswered(): boolean {
    if (this.port === 0) return false;
    const { words } = this;
    if ((words[0]! & 0xff) === c.AF_INET6) return (words[2]! | words[3]! | words[4]! | words[5]!) !== 0;
    return words[1] !== 0 && words[1] !== -1;
  }

  get ip(): Ip {
    return this.#ip ??= decodeSockaddr(new Uint8Array(this.words.buffer)).ip;
  }

  get port(): number {
    const word = this.words[0]!;
    return ((word >>> 8) & 0xff00) | (word >>> 24);
  }
}

/** A UDP socket.
 *
 *     open ──retire──▶ retired ──close──▶ closed
 */
export class UdpSocket implements DatagramSocket, FdHandler {
  readonly local: SocketAddress;
  readonly #loop: SocketLoop;
  readonly #sink: DatagramSink;
  readonly #family: number;
  readonly #nameLength: number;
  readonly #fd: number;
  readonly #peer: SocketAddress | null;
  #state: "open" | "retired" | "closed" = "open";
  /** Callbacks of a batch are being called: what they send is gathered. */
  #isDelivering = false;

  /** Throws `ListenError`. */
  constructor(loop: SocketLoop, at: UdpAt, sink: DatagramSink) {
    receiver ??= new DatagramReceiver(BATCH, SLOT_SIZE);
    sender ??= new DatagramSender(BATCH, GATHERED_SIZE);
    this.#loop = loop;
    this.#sink = sink;
    this.#peer = at.peer ?? null;
    this.#family = familyOf(at.address.ip);
    this.#nameLength = this.#family === c.AF_INET ? 16 : SOCKADDR_LENGTH;
    this.#fd = openUdp(at, this.#family);
    this.local = decodeSockaddr(socketName(this.#fd)!);
    loop.watch(this.#fd, c.EPOLLIN, this);
  }

  onEvents(): void {
    for (let taken = 0; taken < DATAGRAMS_PER_EVENT && !this.#isClosed; taken += BATCH) {
      const count = receiver!.receive(this.#fd, BATCH);
      // The error is the answer to an earlier datagram. The call has removed it from the socket.
      if (count < 0) return this.#failed(errno());
      this.#deliver(count);
      if (count < BATCH) return;
    }
  }

  send(bytes: Uint8Array, to: SocketAddress): boolean {
    if (this.#isClosed || bytes.length > MAX_PAYLOAD) return false;
    if (to instanceof Source && to.arrivedAt(this)) return this.#answer(bytes, to);
    if (this.#peer !== null) {
      return libc.send(this.#fd, bytes as Uint8Array<ArrayBuffer>, bytes.length, c.MSG_NOSIGNAL) >= 0;
    }
    if (this.#family === c.AF_INET && !isIpv4(to.ip)) return false;
    return sendTo(this.#fd, bytes, encodeSockaddr(to, this.#family)) >= 0;
  }

  /**
   * Connects the socket to itself, for which there always is a route. A connected socket only receives what its peer sends,
   * and the kernel does not choose it when several sockets share a port.
   */
  retire(): void {
    if (this.#state !== "open") return;
    this.#state = "retired";
    const { ip, port } = this.local;
    const name = encodeSockaddr({ ip: ip === ANY_V4 ? LOOPBACK_V4 : ip === ANY_V6 ? LOOPBACK_V6 : ip, port });
    if (libc.connect(this.#fd, name, name.length) < 0) return;
    // During a delivery the next turns receive the rest.
    if (delivering) return;
    for (let batch = 0; batch < MAX_BATCHES_LEFT && !this.#isClosed; batch++) {
      const count = receiver!.receive(this.#fd, BATCH);
      if (count <= 0) return;
      this.#deliver(count);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#state = "closed";
    this.#loop.release(this.#fd);
  }

  get #isClosed(): boolean {
    return this.#state === "closed";
  }

  inspect(): ListenerState {
    const listening = this.#state === "open" && this.#isBound();
    return { listening, namespace: listening ? namespaceCookie(this.#fd) : null };
  }

  /** Whether the descriptor is still that of a datagram socket with this address. */
  #isBound(): boolean {
    const name = getOption(this.#fd, c.SOL_SOCKET, c.SO_TYPE) === c.SOCK_DGRAM ? socketName(this.#fd) : null;
    return name !== null && sameAddress(decodeSockaddr(name), this.local);
  }

  #deliver(count: number): void {
    this.#isDelivering = delivering = true;
    try {
      for (let slot = 0; slot < count && !this.#isClosed; slot++) {
        const from = this.#sourceOf(slot);
        if (from.canBeAnswered) this.#sink.onDatagram(receiver!.bytes(slot), from);
      }
    } finally {
      this.#isDelivering = delivering = false;
      // Also after a close: the descriptor stays open to the end of the turn.
      sender!.flush(this.#fd);
    }
  }

  #sourceOf(slot: number): Source {
    const from = new Source(this);
    for (let i = 0; i < this.#nameLength >> 2; i++) from.words[i] = receiver!.name(slot, i);
    from.info = receiver!.info(slot);
    return from;
  }

  #answer(bytes: Uint8Array, to: Source): boolean {
    const length = this.#peer === null ? this.#nameLength : 0;
    if (!sender!.hasRoom(bytes.length)) sender!.flush(this.#fd);
    sender!.add(bytes, to.words, length, to.info);
    if (!this.#isDelivering) sender!.flush(this.#fd);
    return true;
  }

  #failed(error: number): void {
    if (error !== EAGAIN) this.#sink.onFailure?.(errnoName(error));
  }
}

function openUdp(at: UdpAt, family: number): number {
  const fd = makeSocket(family, c.SOCK_DGRAM, at);
  if (fd < 0) throw listenError(at, -fd);
  const refuse = (): never => {
    const failed = errno();
    libc.close(fd);
    throw listenError(at, failed);
  };
  if (at.reusePort && !setOption(fd, c.SOL_SOCKET, c.SO_REUSEPORT, 1)) refuse();
  if (family === c.AF_INET6) setOption(fd, c.SOL_IPV6, c.IPV6_V6ONLY, at.dualStack === false ? 1 : 0);
  const any = at.address.ip === ANY_V4 || at.address.ip === ANY_V6;
  if (at.peer === undefined || !any || at.address.port !== 0) {
    const name = encodeSockaddr(at.address);
    if (libc.bind(fd, name, name.length) < 0) refuse();
  }
  if (at.peer !== undefined) {
    const name = encodeSockaddr(at.peer, family);
    if (libc.connect(fd, name, name.length) < 0) refuse();
  } else if (any) requestDestination(fd, family);
  return fd;
}

/** Requests the destination of datagrams, so that an answer leaves from that address and not from one of the route. */
function requestDestination(fd: number, family: number): void {
  if (family === c.AF_INET) setOption(fd, c.SOL_IP, c.IP_PKTINFO, 1);
  else setOption(fd, c.SOL_IPV6, c.IPV6_RECVPKTINFO, 1);
}

/**
 * Datagram sockets on the loop. What waits is received in batches, and what is sent from within a callback leaves
 * together after it: at 100,000 datagrams a second the system calls are most of the work.
 */
import * as c from "../os/constants.ts";
import { DatagramReceiver, DatagramSender, NAME_WORDS } from "../os/datagrams.ts";
import { EAGAIN, errnoName } from "../os/errno.ts";
import { errno, libc } from "../os/libc.ts";
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

/** Then others have their turn; what is left is announced again. */
const DATAGRAMS_PER_EVENT = 128;
const BATCH = 32;
/** Holds any UDP payload. */
const SLOT_SIZE = 65_536;
/** Of what one callback after another sends; large ones leave by themselves. */
const GATHERED_SIZE = 65_536;
/** More than this cannot wait in a socket's buffer. */
const MAX_BATCHES_LEFT = 64;
/** The largest payload of IPv4; IPv6 would carry 20 bytes more. */
const MAX_PAYLOAD = 65_507;

/** One for all sockets of the isolate: what it holds is lent until the callback returns. */
let receiver: DatagramReceiver | null = null;
let sender: DatagramSender | null = null;
/** Somebody's datagrams are being delivered: no others may be received meanwhile. */
let delivering = false;

/** Where a datagram came from, in the kernel's form: most are answered without anybody reading the address. */
class Sender implements SocketAddress {
  readonly words = new Int32Array(NAME_WORDS);
  readonly #socket: UdpSocket;
  /** The address that was asked, for sockets that have several. */
  info: Int32Array | null = null;
  #ip: Ip | null = null;

  constructor(socket: UdpSocket) {
    this.#socket = socket;
  }

  cameBy(socket: UdpSocket): boolean {
    return this.#socket === socket;
  }

  /** Not so are port 0, and the unspecified and the broadcast address: an answer would go to somebody else. */
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

export class UdpSocket implements DatagramSocket, FdHandler {
  readonly local: SocketAddress;
  readonly #loop: SocketLoop;
  readonly #sink: DatagramSink;
  readonly #family: number;
  readonly #nameLength: number;
  readonly #fd: number;
  readonly #peer: SocketAddress | null;
  /** In a callback: what is sent waits for its end. */
  #receiving = false;
  #retired = false;
  #closed = false;

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
    for (let taken = 0; taken < DATAGRAMS_PER_EVENT && !this.#closed; taken += BATCH) {
      const count = receiver!.receive(this.#fd, BATCH);
      // An error is one that an earlier datagram brought back; it has been taken off the socket.
      if (count < 0) return this.#failed(errno());
      this.#deliver(count);
      if (count < BATCH) return;
    }
  }

  send(bytes: Uint8Array, to: SocketAddress): boolean {
    if (this.#closed || bytes.length > MAX_PAYLOAD) return false;
    if (to instanceof Sender && to.cameBy(this)) return this.#answer(bytes, to);
    if (this.#peer !== null) {
      return libc.send(this.#fd, bytes as Uint8Array<ArrayBuffer>, bytes.length, c.MSG_NOSIGNAL) >= 0;
    }
    if (this.#family === c.AF_INET && !isIpv4(to.ip)) return false;
    return sendTo(this.#fd, bytes, encodeSockaddr(to, this.#family)) >= 0;
  }

  /**
   * A connected socket gets what its peer sends only, and is passed over where several share a port. The peer is this
   * socket itself, so that there is a route.
   */
  retire(): void {
    if (this.#closed || this.#retired) return;
    this.#retired = true;
    const { ip, port } = this.local;
    const name = encodeSockaddr({ ip: ip === ANY_V4 ? LOOPBACK_V4 : ip === ANY_V6 ? LOOPBACK_V6 : ip, port });
    if (libc.connect(this.#fd, name, name.length) < 0) return;
    // Inside a callback it is left to the turns that follow.
    if (delivering) return;
    for (let batch = 0; batch < MAX_BATCHES_LEFT && !this.#closed; batch++) {
      const count = receiver!.receive(this.#fd, BATCH);
      if (count <= 0) return;
      this.#deliver(count);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#loop.release(this.#fd);
  }

  inspect(): ListenerState {
    const listening = !this.#closed && !this.#retired && this.#isBound();
    return { listening, namespace: listening ? namespaceCookie(this.#fd) : null };
  }

  /** The descriptor is still that of a datagram socket with this address. */
  #isBound(): boolean {
    const name = getOption(this.#fd, c.SOL_SOCKET, c.SO_TYPE) === c.SOCK_DGRAM ? socketName(this.#fd) : null;
    return name !== null && sameAddress(decodeSockaddr(name), this.local);
  }

  #deliver(count: number): void {
    this.#receiving = delivering = true;
    try {
      for (let slot = 0; slot < count && !this.#closed; slot++) {
        const from = this.#sender(slot);
        if (from.canBeAnswered) this.#sink.onDatagram(receiver!.bytes(slot), from);
      }
    } finally {
      this.#receiving = delivering = false;
      // The descriptor stays open to the end of the turn.
      sender!.flush(this.#fd);
    }
  }

  #sender(slot: number): Sender {
    const from = new Sender(this);
    for (let i = 0; i < this.#nameLength >> 2; i++) from.words[i] = receiver!.name(slot, i);
    from.info = receiver!.info(slot);
    return from;
  }

  #answer(bytes: Uint8Array, to: Sender): boolean {
    const length = this.#peer === null ? this.#nameLength : 0;
    if (!sender!.hasRoom(bytes.length)) sender!.flush(this.#fd);
    sender!.add(bytes, to.words, length, to.info);
    if (!this.#receiving) sender!.flush(this.#fd);
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
  } else if (any) askForDestination(fd, family);
  return fd;
}

/** So that an answer leaves from the address that was asked, whatever the route would choose. */
function askForDestination(fd: number, family: number): void {
  if (family === c.AF_INET) setOption(fd, c.SOL_IP, c.IP_PKTINFO, 1);
  else setOption(fd, c.SOL_IPV6, c.IPV6_RECVPKTINFO, 1);
}

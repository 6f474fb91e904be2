/**
 * Blocking TCP calls and epoll of libc, for scripts that keep thousands of connections busy and must take little CPU
 * time from the proxies that they measure. IPv4 only; Linux on x86-64 and arm64.
 */
const I = "i32", B = "buffer";
const libc = Deno.dlopen("libc.so.6", {
  socket: { parameters: [I, I, I], result: I },
  bind: { parameters: [I, B, I], result: I },
  listen: { parameters: [I, I], result: I },
  getsockname: { parameters: [I, B, B], result: I },
  accept: { parameters: [I, "pointer", "pointer"], result: I },
  connect: { parameters: [I, B, I], result: I },
  setsockopt: { parameters: [I, I, I, B, I], result: I },
  send: { parameters: [I, B, "usize", I], result: "isize" },
  recv: { parameters: [I, B, "usize", I], result: "isize" },
  close: { parameters: [I], result: I },
  epoll_create1: { parameters: [I], result: I },
  epoll_ctl: { parameters: [I, I, I, B], result: I },
  epoll_wait: { parameters: [I, B, I, I], result: I },
}).symbols;

const AF_INET = 2, SOCK_STREAM = 1, SOL_SOCKET = 1, SO_REUSEADDR = 2, IPPROTO_TCP = 6, TCP_NODELAY = 1;
const MSG_DONTWAIT = 0x40, MSG_NOSIGNAL = 0x4000;
const EPOLL_CTL_ADD = 1, EPOLLIN = 1;
const ONE = new Uint8Array([1, 0, 0, 0]);
const BACKLOG = 8192;
/** `struct epoll_event` is packed on x86-64 only. */
const [EVENT_SIZE, DATA_AT] = Deno.build.arch === "x86_64" ? [12, 4] : [16, 8];
const MOST_EVENTS = 1024;

/** A descriptor that listens at `host`:`port`; throws when it cannot. */
export function listen(host: string, port: number): number {
  const fd = libc.socket(AF_INET, SOCK_STREAM, 0);
  libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, ONE, ONE.length);
  const address = socketAddress(host, port);
  if (libc.bind(fd, address, address.length) !== 0 || libc.listen(fd, BACKLOG) !== 0) {
    throw new Error(`Cannot listen on ${host}:${port}`);
  }
  return fd;
}

/** The port at which a descriptor listens. */
export function portOf(listener: number): number {
  const address = socketAddress("0.0.0.0", 0);
  libc.getsockname(listener, address, new Uint8Array([address.length, 0, 0, 0]));
  return address[2]! << 8 | address[3]!;
}

/** Opens a connection with TCP_NODELAY and returns its descriptor; -1 when it was refused. */
export function connect(host: string, port: number): number {
  const fd = libc.socket(AF_INET, SOCK_STREAM, 0);
  const address = socketAddress(host, port);
  if (fd < 0 || libc.connect(fd, address, address.length) !== 0) {
    if (fd >= 0) libc.close(fd);
    return -1;
  }
  libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ONE, ONE.length);
  return fd;
}

/** Accepts the next connection of a listener that epoll reports as ready; -1 when none is left, or no descriptor. */
export function accept(listener: number): number {
  const fd = libc.accept(listener, null, null);
  if (fd >= 0) libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ONE, ONE.length);
  return fd;
}

/** Sends without waiting and returns the number of bytes; -1 when the socket accepts none. */
export function send(fd: number, bytes: Uint8Array<ArrayBuffer>, length: number): number {
  return Number(libc.send(fd, bytes, BigInt(length), MSG_DONTWAIT | MSG_NOSIGNAL));
}

/** Bytes read without waiting; 0 at the end of the connection, -1 when it is broken or has no data. */
export function receive(fd: number, into: Uint8Array<ArrayBuffer>): number {
  return Number(libc.recv(fd, into, BigInt(into.length), MSG_DONTWAIT));
}

/** Closes a descriptor. */
export function close(fd: number): void {
  libc.close(fd);
}

/** Waits for many descriptors to become readable. A closed descriptor is removed by the kernel. */
export class Readable {
  readonly #epoll = libc.epoll_create1(0);
  readonly #events = new Uint8Array(EVENT_SIZE * MOST_EVENTS);
  readonly #view = new DataView(this.#events.buffer);

  add(fd: number): void {
    const event = new Uint8Array(EVENT_SIZE);
    const view = new DataView(event.buffer);
    view.setUint32(0, EPOLLIN, true);
    view.setInt32(DATA_AT, fd, true);
    if (libc.epoll_ctl(this.#epoll, EPOLL_CTL_ADD, fd, event) !== 0) throw new Error(`Cannot watch descriptor ${fd}`);
  }

  /** Calls `ready` for each readable descriptor; returns after `millis` at the latest. */
  wait(millis: number, ready: (fd: number) => void): void {
    const count = libc.epoll_wait(this.#epoll, this.#events, MOST_EVENTS, millis);
    for (let i = 0; i < count; i++) ready(this.#view.getInt32(i * EVENT_SIZE + DATA_AT, true));
  }
}

/** `struct sockaddr_in` on a little-endian machine; the port is in network order. */
function socketAddress(host: string, port: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(16);
  bytes.set([AF_INET, 0, port >> 8, port & 255, ...host.split(".").map(Number)]);
  return bytes;
}

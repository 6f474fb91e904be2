/**
 * Socket calls with the argument shapes of this project. Results below zero mean failure; `errno()` then says why.
 * Addresses are `struct sockaddr` bytes, made and read by `net/sockaddr.ts`.
 */
import * as c from "./constants.ts";
import { errno, intCell } from "./libc.ts";
import { libc } from "./libc_sockets.ts";
import { pointAt } from "./pointers.ts";

const option = intCell();
const optionLength = intCell();
const lingerZero = new Uint8Array(new Int32Array([1, 0]).buffer);
const reusableName = new Uint8Array(128);

/** A non-blocking, close-on-exec socket. `protocol`: 0 for the usual one of the type. */
export function openSocket(family: number, type: number, protocol = 0): number {
  return libc.socket(family, type | c.SOCK_NONBLOCK | c.SOCK_CLOEXEC, protocol);
}

/** Sets an int option. False: the kernel refused. */
export function setOption(fd: number, level: number, name: number, value: number): boolean {
  option.value = value;
  return libc.setsockopt(fd, level, name, option.bytes, 4) === 0;
}

/** Reads an int option. Null: the kernel refused. */
export function getOption(fd: number, level: number, name: number): number | null {
  optionLength.value = 4;
  return libc.getsockopt(fd, level, name, option.bytes, optionLength.bytes) === 0 ? option.value : null;
}

/** `struct sock_filter` of one instruction, BPF_RET with a constant. */
const returnConstant = new Uint32Array([0x06, 0]);
/** `struct sock_fprog`: the number of instructions and their address. */
const program = new Uint8Array(new BigUint64Array([1n, 0n]).buffer);
pointAt(program, 8, returnConstant);

/**
 * Makes the kernel give every new connection to one of the listeners that share a port: the one at `index` in the order
 * in which they began to listen. If there is no such listener the kernel chooses as before. False: the kernel refused.
 */
export function steerNewConnections(fd: number, index: number): boolean {
  returnConstant[1] = index;
  return libc.setsockopt(fd, c.SOL_SOCKET, c.SO_ATTACH_REUSEPORT_CBPF, program, 16) === 0;
}

/** Ends {@link steerNewConnections}, also of another process. */
export function stopSteering(fd: number): void {
  setOption(fd, c.SOL_SOCKET, c.SO_DETACH_REUSEPORT_BPF, 0);
}

const cookie = new BigUint64Array(1);

/** Cookie of the network namespace in which the socket was made; null: the kernel has none (before Linux 5.14). */
export function namespaceCookie(fd: number): bigint | null {
  optionLength.value = 8;
  const result = libc.getsockopt(
    fd,
    c.SOL_SOCKET,
    c.SO_NETNS_COOKIE,
    new Uint8Array(cookie.buffer),
    optionLength.bytes,
  );
  return result === 0 ? cookie[0]! : null;
}

/** SO_ERROR: the pending error of a socket, 0 for none; reading clears it. */
export function takeSocketError(fd: number): number {
  return getOption(fd, c.SOL_SOCKET, c.SO_ERROR) ?? errno();
}

/** From now on close(2) sends RST instead of FIN. */
export function resetOnClose(fd: number): void {
  libc.setsockopt(fd, c.SOL_SOCKET, c.SO_LINGER, lingerZero, 8);
}

/** accept4(2). Writes the peer's address to `peer`. */
export function accept(fd: number, peer: Uint8Array): number {
  optionLength.value = peer.length;
  return libc.accept4(fd, peer, optionLength.bytes, c.SOCK_NONBLOCK | c.SOCK_CLOEXEC);
}

/** Local address of a socket, valid until the next call. Null: it has none. */
export function socketName(fd: number): Uint8Array | null {
  optionLength.value = reusableName.length;
  return libc.getsockname(fd, reusableName, optionLength.bytes) === 0
    ? reusableName.subarray(0, optionLength.value)
    : null;
}

/** Address before redirection (`docs/spec/inpod-dns.md` C5): IPv4, then IPv6. Valid until the next call. Null: there is none. */
export function originalDestination(fd: number): Uint8Array | null {
  optionLength.value = 16;
  if (libc.getsockopt(fd, c.SOL_IP, c.SO_ORIGINAL_DST, reusableName, optionLength.bytes) === 0) {
    return reusableName.subarray(0, 16);
  }
  optionLength.value = 28;
  if (libc.getsockopt(fd, c.SOL_IPV6, c.SO_ORIGINAL_DST, reusableName, optionLength.bytes) === 0) {
    return reusableName.subarray(0, 28);
  }
  return null;
}

/** sendto(2). `to`: a `struct sockaddr`. */
export function sendTo(fd: number, bytes: Uint8Array, to: Uint8Array): number {
  return libc.sendto(fd, bytes as Uint8Array<ArrayBuffer>, bytes.length, c.MSG_NOSIGNAL, to, to.length);
}

/** Makes sockets with the options of a listener or a dial. Failures are negative errno values, not exceptions. */
import * as c from "../os/constants.ts";
import { EMFILE, SystemError } from "../os/errno.ts";
import { errno, libc } from "../os/libc.ts";
import { isFromReserve } from "../os/limits.ts";
import { openSocket, setOption } from "../os/socket.ts";
import { insideNamespace } from "../os/namespace.ts";
import type { SocketOptions } from "./network.ts";

/**
 * Makes a TCP socket inside of `options.namespace`, without keepalive. Returns its descriptor or a negative errno. Urgent
 * data are read as data (`docs/spec/dataplane.md` 4); sockets that a listener accepts inherit that.
 */
export function makeTcpSocket(family: number, options: SocketOptions): number {
  const fd = makeSocket(family, c.SOCK_STREAM, options);
  if (fd < 0) return fd;
  setOption(fd, c.SOL_SOCKET, c.SO_OOBINLINE, 1);
  if (options.userTimeout) setOption(fd, c.SOL_TCP, c.TCP_USER_TIMEOUT, options.userTimeout);
  return fd;
}

/**
 * Makes a socket of any type with its mark; without the mark it fails (`docs/spec/dataplane.md` 1.1). Returns its
 * descriptor or a negative errno.
 */
export function makeSocket(family: number, type: number, options: SocketOptions, protocol = 0): number {
  const make = () => {
    const fd = openSocket(family, type, protocol);
    return fd < 0 ? -errno() : fd;
  };
  const fd = options.namespace === undefined ? make() : makeInside(options.namespace, make);
  if (fd >= 0 && isFromReserve(fd)) {
    libc.close(fd);
    return -EMFILE;
  }
  if (fd < 0 || !options.mark || setOption(fd, c.SOL_SOCKET, c.SO_MARK, options.mark)) return fd;
  const failed = errno();
  libc.close(fd);
  return -failed;
}

function makeInside(namespace: number, make: () => number): number {
  try {
    return insideNamespace(namespace, make);
  } catch (error) {
    if (error instanceof SystemError) return -error.number;
    throw error;
  }
}

/** Sets IP_TRANSPARENT of the socket's family. False: the kernel refused. */
export function setTransparent(fd: number, family: number): boolean {
  return family === c.AF_INET
    ? setOption(fd, c.SOL_IP, c.IP_TRANSPARENT, 1)
    : setOption(fd, c.SOL_IPV6, c.IPV6_TRANSPARENT, 1);
}

/** Sets IP_FREEBIND of the socket's family. False: the kernel refused. */
export function setFreebind(fd: number, family: number): boolean {
  return family === c.AF_INET
    ? setOption(fd, c.SOL_IP, c.IP_FREEBIND, 1)
    : setOption(fd, c.SOL_IPV6, c.IPV6_FREEBIND, 1);
}

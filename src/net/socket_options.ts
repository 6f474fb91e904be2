/** Making sockets with the options of a listener or a dial. Failures are errno values, not exceptions. */
import * as c from "../os/constants.ts";
import { errno, libc } from "../os/libc.ts";
import { openSocket, setOption } from "../os/socket.ts";
import { insideNamespace } from "../os/namespace.ts";
import type { SocketOptions } from "./network.ts";

/** A TCP socket, made inside `options.namespace` where given; negative errno on failure. */
export function makeTcpSocket(family: number, options: SocketOptions): number {
  const make = () => {
    const fd = openSocket(family, c.SOCK_STREAM);
    return fd < 0 ? -errno() : fd;
  };
  const fd = options.namespace === undefined ? make() : insideNamespace(options.namespace, make);
  if (fd < 0) return fd;
  const failed = applyOptions(fd, options);
  if (failed === 0) return fd;
  libc.close(fd);
  return -failed;
}

/** Returns the errno of the mark, the only option whose failure matters; the others are best effort (dataplane 1.1). */
function applyOptions(fd: number, options: SocketOptions): number {
  if (options.mark && !setOption(fd, c.SOL_SOCKET, c.SO_MARK, options.mark)) return errno();
  if (options.keepalive) {
    setOption(fd, c.SOL_SOCKET, c.SO_KEEPALIVE, 1);
    setOption(fd, c.SOL_TCP, c.TCP_KEEPIDLE, options.keepalive.idleSeconds);
    setOption(fd, c.SOL_TCP, c.TCP_KEEPINTVL, options.keepalive.intervalSeconds);
    setOption(fd, c.SOL_TCP, c.TCP_KEEPCNT, options.keepalive.probes);
  }
  if (options.userTimeout) setOption(fd, c.SOL_TCP, c.TCP_USER_TIMEOUT, options.userTimeout);
  return 0;
}

/** IP_TRANSPARENT of the socket's family; false when the kernel refused. */
export function setTransparent(fd: number, family: number): boolean {
  return family === c.AF_INET
    ? setOption(fd, c.SOL_IP, c.IP_TRANSPARENT, 1)
    : setOption(fd, c.SOL_IPV6, c.IPV6_TRANSPARENT, 1);
}

/** IP_FREEBIND of the socket's family; false when the kernel refused. */
export function setFreebind(fd: number, family: number): boolean {
  return family === c.AF_INET
    ? setOption(fd, c.SOL_IP, c.IP_FREEBIND, 1)
    : setOption(fd, c.SOL_IPV6, c.IPV6_FREEBIND, 1);
}

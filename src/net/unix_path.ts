/** Unix sockets by path. Failures are negative errno values. */
import * as c from "../os/constants.ts";
import { EINVAL } from "../os/errno.ts";
import { errno } from "../os/libc.ts";
import { libc } from "../os/libc_sockets.ts";
import { openSocket } from "../os/socket.ts";
import { ANY_V4, type SocketAddress } from "./address.ts";

const PATH_MAX = 107;

/** The addresses of a Unix stream, which has none. */
export const NO_ADDRESS: SocketAddress = Object.freeze({ ip: ANY_V4, port: 0 });

/** Returns a `struct sockaddr_un` with the terminating NUL. Null: no socket can have this path. */
export function encodeUnixPath(path: string): Uint8Array<ArrayBuffer> | null {
  const text = new TextEncoder().encode(path);
  if (text.length === 0 || text.length > PATH_MAX || text.includes(0)) return null;
  const bytes = new Uint8Array(2 + text.length + 1);
  bytes[0] = c.AF_UNIX;
  bytes.set(text, 2);
  return bytes;
}

/**
 * Returns a connected socket, or a negative errno. Unix sockets connect at once or not at all: EAGAIN means a full backlog and
 * leaves the socket unconnected, so it is a failure (`docs/spec/inpod-dns.md` A1.1).
 */
export function connectToPath(type: number, path: string): number {
  return atPath(type, path, (fd, name) => libc.connect(fd, name, name.length));
}

/** Returns a listening socket, or a negative errno. */
export function listenAtPath(type: number, path: string, backlog: number): number {
  return atPath(type, path, (fd, name) => {
    const bound = libc.bind(fd, name, name.length);
    return bound < 0 ? bound : libc.listen(fd, backlog);
  });
}

function atPath(type: number, path: string, attach: (fd: number, name: Uint8Array<ArrayBuffer>) => number): number {
  const name = encodeUnixPath(path);
  if (name === null) return -EINVAL;
  const fd = openSocket(c.AF_UNIX, type);
  if (fd < 0) return -errno();
  if (attach(fd, name) >= 0) return fd;
  const failed = errno();
  libc.close(fd);
  return -failed;
}

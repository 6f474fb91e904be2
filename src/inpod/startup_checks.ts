/** Checks at start whether this process has the privileges to serve pods (`docs/spec/inpod-dns.md` A1.15). */
import { AF_INET, SO_MARK, SOCK_STREAM, SOL_SOCKET } from "../os/constants.ts";
import { SystemError } from "../os/errno.ts";
import { errno } from "../os/libc.ts";
import { insideNamespace, openNamespace } from "../os/namespace.ts";
import { OwnedDescriptor } from "../os/owned_descriptor.ts";
import { openSocket, setOption } from "../os/socket.ts";

/** Throws an Error with a text for the operator. `mark`: of the sockets; null: none. */
export function checkPrivileges(mark: number | null): void {
  try {
    using own = new OwnedDescriptor(openNamespace("/proc/thread-self/ns/net"));
    insideNamespace(own.fd, () => {});
  } catch (error) {
    throw new Error(`failed to set netns: ${messageOf(error)}; shared mode needs CAP_SYS_ADMIN`);
  }
  if (mark !== null) checkMark(mark);
}

/** Checks that this process may set SO_MARK. Throws an Error with a text for the operator. */
export function checkMark(mark: number): void {
  using socket = new OwnedDescriptor(openSocket(AF_INET, SOCK_STREAM));
  if (socket.fd >= 0 && setOption(socket.fd, SOL_SOCKET, SO_MARK, mark)) return;
  const error = new SystemError("setsockopt", errno()).message;
  throw new Error(
    "failed to set socket mark: failed to set mark on socket. " +
      `make sure ztunnel has CAP_NET_RAW, CAP_NET_ADMIN. error: ${error}`,
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

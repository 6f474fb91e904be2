/** Closes sockets of other programs (sock_diag(7), `SOCK_DESTROY` of `linux/sock_diag.h`). */
import * as c from "./constants.ts";
import { errno } from "./libc.ts";
import { libc } from "./libc_sockets.ts";

const AF_NETLINK = 16, NETLINK_SOCK_DIAG = 4;
const SOCK_DESTROY = 21, NLM_F_REQUEST = 1, NLM_F_ACK = 4;
/** struct nlmsghdr of netlink(7), and struct inet_diag_req_v2 of sock_diag(7) behind it. */
const HEADER_BYTES = 16, REQUEST_BYTES = 56, ADDRESSES_AT = HEADER_BYTES + 8;

/**
 * Closes the TCP socket of this thread's network namespace with these addresses, each a `struct sockaddr_in` or
 * `sockaddr_in6` of the same family: calls of its program fail with ECONNABORTED, its peer gets RST. Returns 0 or an
 * errno: ENOENT where there is no such socket, EPERM without CAP_NET_ADMIN, EOPNOTSUPP where the kernel was built without
 * CONFIG_INET_DIAG_DESTROY.
 */
export function destroyTcpSocket(local: Uint8Array, remote: Uint8Array): number {
  const fd = libc.socket(AF_NETLINK, c.SOCK_DGRAM | c.SOCK_NONBLOCK | c.SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return errno();
  try {
    const request = destroyRequest(local, remote);
    if (libc.write(fd, request, request.length) < 0) return errno();
    // The kernel answers before write(2) returns.
    const answer = new Uint8Array(256);
    if (libc.read(fd, answer, answer.length) < 0) return errno();
    return Math.abs(new DataView(answer.buffer).getInt32(HEADER_BYTES, true));
  } finally {
    libc.close(fd);
  }
}

function destroyRequest(local: Uint8Array, remote: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES + REQUEST_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, SOCK_DESTROY, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK, true);
  bytes[HEADER_BYTES] = local[0]!;
  bytes[HEADER_BYTES + 1] = c.SOL_TCP;
  // A socket in any state.
  view.setUint32(HEADER_BYTES + 4, 0xffffffff, true);
  bytes.set(local.subarray(2, 4), ADDRESSES_AT);
  bytes.set(remote.subarray(2, 4), ADDRESSES_AT + 2);
  bytes.set(addressOf(local), ADDRESSES_AT + 4);
  bytes.set(addressOf(remote), ADDRESSES_AT + 20);
  // No cookie: the addresses say which socket.
  bytes.fill(0xff, bytes.length - 8);
  return bytes;
}

function addressOf(name: Uint8Array): Uint8Array {
  return name[0] === c.AF_INET ? name.subarray(4, 8) : name.subarray(8, 24);
}

/** Tries whether a port is free. */
import {
  AF_INET6,
  IPV6_V6ONLY,
  SO_REUSEADDR,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_IPV6,
  SOL_SOCKET,
} from "../../os/constants.ts";
import { errnoName, errnoText } from "../../os/errno.ts";
import { errno } from "../../os/libc.ts";
import { libc } from "../../os/libc_sockets.ts";
import { openSocket, setOption } from "../../os/socket.ts";
import { OwnedDescriptor } from "../../os/owned_descriptor.ts";
import type { SocketAddress } from "../../net/address.ts";
import { encodeSockaddr, familyOf } from "../../net/sockaddr.ts";

/** Binds a socket as the proxy does, listens for TCP, and closes it. Null: that works. */
export function bindProblem(
  address: SocketAddress,
  protocol: "tcp" | "udp",
): { readonly code: string; readonly text: string } | null {
  const family = familyOf(address.ip);
  const descriptor = openSocket(family, protocol === "tcp" ? SOCK_STREAM : SOCK_DGRAM);
  if (descriptor < 0) return problem();
  using socket = new OwnedDescriptor(descriptor);
  if (protocol === "tcp") setOption(socket.fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (family === AF_INET6) setOption(socket.fd, SOL_IPV6, IPV6_V6ONLY, address.ip === "::" ? 0 : 1);
  const name = encodeSockaddr(address);
  if (libc.bind(socket.fd, name, name.length) < 0) return problem();
  if (protocol === "tcp" && libc.listen(socket.fd, 1) < 0) return problem();
  return null;
}

function problem(): { readonly code: string; readonly text: string } {
  const number = errno();
  return { code: errnoName(number), text: errnoText(number) };
}

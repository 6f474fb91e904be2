/** The `:authority` of a CONNECT request (`docs/spec/dataplane.md` 1.7 step 7). It is network input. */
import { parsePort, parseSocketAddress, type SocketAddress } from "../../net/address.ts";

/** The target of a CONNECT: an IP address, or the host name of a service. */
export type Authority =
  | { readonly kind: "address"; readonly address: SocketAddress }
  | { readonly kind: "hostname"; readonly hostname: string; readonly port: number };

/** RFC 1035 §2.3.4 */
const MAX_HOSTNAME = 253;
/**
 * Letters, digits, and the characters of Kubernetes names and wildcard hosts. No user information, brackets or escapes.
 */
const HOSTNAME = /^[a-zA-Z0-9._*-]+$/;

/** `ip:port`, `[v6]:port` or `hostname:port`, the port a canonical decimal; null for anything else. */
export function parseAuthority(text: string): Authority | null {
  const address = parseSocketAddress(text);
  if (address !== null) return { kind: "address", address };
  const colon = text.lastIndexOf(":");
  const hostname = text.slice(0, Math.max(colon, 0));
  const port = parsePort(text.slice(colon + 1));
  if (port === null || hostname.length > MAX_HOSTNAME || !HOSTNAME.test(hostname)) return null;
  return { kind: "hostname", hostname, port };
}

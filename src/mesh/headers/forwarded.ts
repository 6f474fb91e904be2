/** The `forwarded` header of HBONE (RFC 7239 in form; `docs/spec/xds-state.md` 6.3). For telemetry only. */
import { formatAddress, type SocketAddress } from "../../net/address.ts";

const VISIBLE_ASCII = /^[\x20-\x7e\t]*$/;
/** Hosts that are valid without quotes after `host=`. */
const PLAIN_HOST = /^[a-zA-Z0-9._*:-]+$/;

/** `for="{ip:port}"`, and `;host={host}` where the client connected to a service. */
export function formatForwarded(client: SocketAddress, host: string | null): string {
  const forPart = `for="${formatAddress(client)}"`;
  return host !== null && PLAIN_HOST.test(host) ? `${forPart};host=${host}` : forPart;
}

/** The value of `host=` in the first line of the header, or null where there is none. */
export function parseForwardedHost(value: string | null): string | null {
  if (value === null || !VISIBLE_ASCII.test(value)) return null;
  for (const part of value.split(";")) {
    const trimmed = part.trim();
    if (!trimmed.startsWith("host=")) continue;
    const host = trimmed.slice("host=".length).replace(/^"/, "").replace(/"$/, "");
    return host === "" ? null : host;
  }
  return null;
}

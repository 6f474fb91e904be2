/**
 * The admin port has no authentication, since it listens on loopback. A browser on the same machine (for example a
 * laptop to which the port is forwarded) sends requests for any page that it shows. Requests that only a page can cause
 * are therefore refused:
 *
 * - a form or script of another site, which has the header `Origin`, could stop the proxy;
 * - a host name that its owner points to 127.0.0.1 (DNS rebinding) gives a page the origin of this port, so that it
 * could
 *   read the mesh. Where the port is opened to a network on purpose, host names are allowed.
 */
import { parseIp } from "../net/address.ts";
import type { HttpHandler } from "./http_connection.ts";
import type { RequestHead } from "./request_head.ts";
import { plainText } from "./response.ts";

/** The handler with these checks. `loopback`: the server listens on loopback only. */
export function guarded(handler: HttpHandler, loopback: boolean): HttpHandler {
  return (request, body) => {
    const problem = problemOf(request, loopback);
    return problem === null ? handler(request, body) : plainText(403, `${problem}\n`);
  };
}

function problemOf({ headers }: RequestHead, loopback: boolean): string | null {
  const hosts = headers.get("host") ?? [];
  const origins = headers.get("origin") ?? [];
  const [host = ""] = hosts;
  // A request without Host (HTTP/1.0) is not from a browser.
  if (hosts.length > 1 || loopback && hosts.length > 0 && !isLocal(host)) {
    return "refused: use an IP address or localhost in the URL, not another host name (Host header)";
  }
  if (origins.some((origin) => origin.replace(/^https?:\/\//, "") !== host)) {
    return "refused: the request comes from a page of another site (Origin header)";
  }
  return null;
}

/** Whether the host is an IP address, or a name that always means this machine (RFC 6761 §6.3). */
function isLocal(host: string): boolean {
  const name = host.replace(/:[0-9]*$/, "").toLowerCase();
  const bracketed = /^\[(.*)\]$/.exec(name)?.[1];
  if (bracketed !== undefined) return parseIp(bracketed) !== null;
  return name === "localhost" || name.endsWith(".localhost") || parseIp(name) !== null;
}

/**
 * The admin port believes whoever reaches it, since it listens on loopback. A browser there (on a laptop that forwards
 * the port, say) carries requests of any page it shows. So nothing is answered that can only be a page's doing:
 *
 * - another site's form or script, which names its `Origin`: it could stop the proxy;
 * - a name that the page's owner points to 127.0.0.1 (DNS rebinding), which makes the page ours: it could read the mesh.
 *   Where the port was opened to a network on purpose, names are legitimate.
 */
import { parseIp } from "../net/address.ts";
import type { HttpHandler } from "./http_connection.ts";
import type { RequestHead } from "./request_head.ts";
import { plainText } from "./response.ts";

/** `loopback`: the server listens there and nowhere else. */
export function guarded(handler: HttpHandler, loopback: boolean): HttpHandler {
  return (request) => {
    const problem = problemOf(request, loopback);
    return problem === null ? handler(request) : plainText(403, `${problem}\n`);
  };
}

function problemOf({ headers }: RequestHead, loopback: boolean): string | null {
  const hosts = headers.get("host") ?? [];
  const origins = headers.get("origin") ?? [];
  const [host = ""] = hosts;
  // Without a Host (HTTP/1.0) it is no browser.
  if (hosts.length > 1 || loopback && hosts.length > 0 && !isOurs(host)) {
    return "refused: this port is asked by address or as localhost, not by another name (Host)";
  }
  if (origins.some((origin) => origin.replace(/^https?:\/\//, "") !== host)) {
    return "refused: a page of another site asks (Origin)";
  }
  return null;
}

/** An address, or a name that stands for this machine whatever DNS says (RFC 6761 §6.3). */
function isOurs(host: string): boolean {
  const name = host.replace(/:[0-9]*$/, "").toLowerCase();
  const bracketed = /^\[(.*)\]$/.exec(name)?.[1];
  if (bracketed !== undefined) return parseIp(bracketed) !== null;
  return name === "localhost" || name.endsWith(".localhost") || parseIp(name) !== null;
}

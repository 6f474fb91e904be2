/** Socket addresses of SPIRE's and SPIFFE's APIs (`docs/spec/identity-spire.md` 4.1, 5.1). */
import { type Parsed, parsed, refused } from "./scalars.ts";

/** What can be dialled. */
export type EndpointSocket =
  /** Absolute. */
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** `sun_path` of Linux holds 108 bytes, the last is NUL. */
const MAX_PATH = 107;

/** How to treat what the standards leave open or settle differently. */
export interface SocketRules {
  /** The Workload API names TCP hosts by address only, the Broker endpoint also by name. */
  readonly tcpHost: "address" | "address or name";
}

/**
 * `unix:///path`, `unix:/path`, a bare absolute path (ours), or `tcp://host:port`. The refusals are checked in the
 * order, and have the words, of the SPIFFE library of the Rust ztunnel.
 */
export function parseEndpointSocket(text: string, rules: SocketRules = { tcpHost: "address" }): Parsed<EndpointSocket> {
  if (text.startsWith("/")) return unixSocket(text);
  const url = URL.parse(text);
  if (url === null || text !== text.trim()) return refused("endpoint socket is not a valid URI");
  if (url.username !== "" || url.password !== "") return refused("endpoint socket URI must not include user info");
  if (url.search !== "") return refused("endpoint socket URI must not include query values");
  if (url.hash !== "") return refused("endpoint socket URI must not include a fragment");
  switch (url.protocol) {
    case "unix:":
      if (!url.pathname.startsWith("/")) return refused("unix:// endpoint socket URI must include a path");
      if (url.host !== "" && url.pathname !== "/") {
        return refused("unix:// endpoint socket URI must not include a host (three slashes: unix:///path)");
      }
      return unixSocket(decodePath(url.pathname));
    case "tcp:":
      return tcpSocket(url, rules);
    default:
      return refused("endpoint socket URI scheme must be tcp:// or unix://");
  }
}

function unixSocket(path: string): Parsed<EndpointSocket> {
  if (/^\/*$/.test(path)) return refused("unix:// endpoint socket URI must include a path");
  if (path.includes("\0")) return refused("endpoint socket is not a valid URI");
  const bytes = new TextEncoder().encode(path).length;
  if (bytes > MAX_PATH) return refused(`socket path of ${bytes} bytes is longer than ${MAX_PATH}`);
  return parsed({ kind: "unix", path });
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function tcpSocket(url: URL, rules: SocketRules): Parsed<EndpointSocket> {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (host === "") return refused("tcp:// endpoint socket URI must include a host");
  if (rules.tcpHost === "address" && !isAddress(url.hostname)) {
    return refused("tcp:// endpoint socket URI host must be an IP:port");
  }
  if (url.pathname !== "" && url.pathname !== "/") {
    return refused("tcp:// endpoint socket URI must not include a path");
  }
  if (url.port === "") return refused("tcp:// endpoint socket URI host must be an IP:port");
  return parsed({ kind: "tcp", host, port: Number(url.port) });
}

function isAddress(host: string): boolean {
  return /^\[[0-9a-f:.]+\]$/i.test(host) || /^\d{1,3}(\.\d{1,3}){3}$/.test(host);
}

/** As it is written in settings. */
export function formatEndpointSocket(socket: EndpointSocket): string {
  if (socket.kind === "unix") return `unix://${socket.path}`;
  return socket.host.includes(":") ? `tcp://[${socket.host}]:${socket.port}` : `tcp://${socket.host}:${socket.port}`;
}

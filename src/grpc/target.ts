/** The address of a control-plane service. */
import { type Ip, isLoopback, parseIp } from "../net/address.ts";

/** Where to connect to. `ip`: null where `host` is a name. */
export type Endpoint =
  | { readonly kind: "tcp"; readonly host: string; readonly ip: Ip | null; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** A parsed address. */
export interface Target {
  /** The configured text, for the log. */
  readonly text: string;
  readonly endpoint: Endpoint;
  /** The value of `:authority`. */
  readonly authority: string;
  /** True for `https`. */
  readonly tls: boolean;
}

/**
 * Parses `https://host:port`, `http://host:port`, `unix:///path` and `unix:/path`; returns null for anything else. The
 * path and the query of a URL are ignored.
 */
export function parseTarget(text: string): Target | null {
  const path = /^unix:(?:\/\/)?(\/[^/\0][^\0]*)$/i.exec(text)?.[1];
  if (path !== undefined) return { text, endpoint: { kind: "unix", path }, authority: "localhost", tls: false };
  const url = URL.parse(text);
  if (url === null || url.hostname === "" || url.protocol !== "https:" && url.protocol !== "http:") return null;
  const tls = url.protocol === "https:";
  const port = url.port === "" ? tls ? 443 : 80 : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return {
    text,
    endpoint: { kind: "tcp", host, ip: parseIp(host), port },
    authority: `${url.hostname}:${port}`,
    tls,
  };
}

/** Formats an endpoint: `istiod.istio-system.svc:15012`, or the path of a socket. */
export function endpointText(endpoint: Endpoint): string {
  if (endpoint.kind === "unix") return endpoint.path;
  return endpoint.host.includes(":") ? `[${endpoint.host}]:${endpoint.port}` : `${endpoint.host}:${endpoint.port}`;
}

/** Returns whether the traffic cannot be read on the network: TLS, a Unix socket or loopback. */
export function isPrivate({ tls, endpoint }: Target): boolean {
  if (tls || endpoint.kind === "unix") return true;
  return endpoint.ip === null ? endpoint.host === "localhost" : isLoopback(endpoint.ip);
}

/** Where a control plane listens. */
import { type Ip, isLoopback, parseIp } from "../net/address.ts";

export type Endpoint =
  | { readonly kind: "tcp"; readonly host: string; readonly ip: Ip | null; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

export interface Target {
  /** As it was configured, for the log. */
  readonly text: string;
  readonly endpoint: Endpoint;
  /** What goes into `:authority`. */
  readonly authority: string;
  /** TLS is spoken: `https`. */
  readonly tls: boolean;
}

/**
 * `https://host:port`, `http://host:port`, `unix:///path`, `unix:/path`; null for anything else. Paths and queries of
 * a URL mean nothing here.
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

/** `istiod.istio-system.svc:15012`, or the path of a socket. */
export function endpointText(endpoint: Endpoint): string {
  if (endpoint.kind === "unix") return endpoint.path;
  return endpoint.host.includes(":") ? `[${endpoint.host}]:${endpoint.port}` : `${endpoint.host}:${endpoint.port}`;
}

/** What is said to it cannot be overheard on a network. */
export function isPrivate({ tls, endpoint }: Target): boolean {
  if (tls || endpoint.kind === "unix") return true;
  return endpoint.ip === null ? endpoint.host === "localhost" : isLoopback(endpoint.ip);
}

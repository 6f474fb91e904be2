/** The headers of a request (`docs/spec/xds-state.md` 2.3). */
import type { Header, TokenSource } from "../config/config.ts";
import { Code, GrpcError } from "./status.ts";
import { readSmallFile } from "./small_file.ts";
import type { Target } from "./target.ts";

/** Names that belong to HTTP/2 or gRPC: what is configured under them is not sent. */
const RESERVED = new Set([
  "te",
  "host",
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "content-type",
  "content-length",
  "grpc-encoding",
  "grpc-message",
  "grpc-message-type",
  "grpc-status",
  "grpc-timeout",
]);

/** Whether a configured header of this lower-case name is never sent. */
export function isReservedHeader(name: string): boolean {
  return RESERVED.has(name) || name.startsWith(":");
}

export interface Credentials {
  readonly source: TokenSource;
  readonly clusterId: string;
}

/** `authorization` and `clusterid`. Rejects with {@link GrpcError} of stage `connect`; a token is quoted nowhere. */
export async function credentialHeaders(credentials: Credentials | null): Promise<readonly Header[]> {
  if (credentials === null) return [];
  const token = await readToken(credentials.source);
  return [["authorization", `Bearer ${token}`], ["clusterid", credentials.clusterId]];
}

/** Visible ASCII, as tokens are made of. */
const TOKEN = /^[\x21-\x7e]+$/;

/** The native proxy takes a file as it is, so that an editor's final newline fails every call: ours is cut off. */
async function readToken(source: TokenSource): Promise<string> {
  const where = source.kind === "file" ? `token file "${source.path}"` : "token of AUTH_TOKEN";
  const token = (source.kind === "file" ? await readTokenFile(source.path) : source.token).trim();
  if (token === "") throw tokenError(source.kind === "file" ? "token file exists, but was empty" : `${where} is empty`);
  if (!TOKEN.test(token)) throw tokenError(`${where} has characters that no token has`);
  return token;
}

async function readTokenFile(path: string): Promise<string> {
  const read = await readSmallFile(path);
  if ("problem" in read) {
    throw tokenError(`cannot read token file "${path}" (AUTH_TOKEN): ${read.problem}`);
  }
  return read.text;
}

function tokenError(message: string): GrpcError {
  return new GrpcError(Code.Unauthenticated, message, "connect");
}

/** All headers of one request. Of equal names the last one counts: configured, then of the call, then credentials. */
export function requestHeaders(
  target: Target,
  method: string,
  timeout: number | null,
  ...groups: readonly (readonly Header[])[]
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of groups.flat()) if (!isReservedHeader(name)) headers[name] = value;
  return {
    "user-agent": "ztunnel",
    ...headers,
    ":method": "POST",
    ":scheme": target.tls ? "https" : "http",
    ":authority": target.authority,
    ":path": method,
    "te": "trailers",
    "content-type": "application/grpc",
    ...(timeout === null ? {} : { "grpc-timeout": timeoutText(timeout) }),
  };
}

/** At most eight digits (gRPC over HTTP/2, "Timeout"). */
function timeoutText(ms: number): string {
  const millis = Math.max(1, Math.ceil(ms));
  return millis < 1e8 ? `${millis}m` : `${Math.min(Math.ceil(millis / 1000), 99_999_999)}S`;
}

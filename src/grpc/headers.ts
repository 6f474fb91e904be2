/** The headers of a request (`docs/spec/xds-state.md` 2.3). */
import type { Header, TokenSource } from "../config/config.ts";
import { Code, GrpcError } from "./status.ts";
import { readSmallFile } from "./small_file.ts";
import type { Target } from "./target.ts";

/** Names that HTTP/2 or gRPC reserves. Configured headers with these names are not sent. */
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

/** Returns whether a configured header of this lower-case name is never sent. */
export function isReservedHeader(name: string): boolean {
  return RESERVED.has(name) || name.startsWith(":");
}

/** The token of the calls to istiod and its CA. */
interface Credentials {
  readonly source: TokenSource;
  readonly clusterId: string;
}

/**
 * Returns the headers `authorization` and `clusterid`. Rejects with {@link GrpcError} of stage `connect`, which never
 * contains the token.
 */
export async function credentialHeaders(credentials: Credentials | null): Promise<readonly Header[]> {
  if (credentials === null) return [];
  const token = await readToken(credentials.source);
  return [["authorization", `Bearer ${token}`], ["clusterid", credentials.clusterId]];
}

/** Visible ASCII. */
const TOKEN = /^[\x21-\x7e]+$/;

/** Removes white space around the token: in the Rust ztunnel a final newline in the file makes every call fail. */
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

/**
 * Returns all headers of a request. Later `groups` override earlier ones. `method`: `/package.Service/Method`.
 * `timeout`: ms; null: none.
 */
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

/** Derives the outcome of a call from the response (gRPC over HTTP/2, "Responses"). */
import { Code, codeOf, GrpcError } from "./status.ts";

/** Headers as `node:http2` returns them. */
export type IncomingHeaders = Readonly<Record<string, string | number | string[] | undefined>>;

/** The outcome of a call: OK, or an error. */
export type Outcome = GrpcError | "ok";

/** Returns an error for a response with an HTTP error status or that is not gRPC; null: messages may follow. */
export function headFault(headers: IncomingHeaders): GrpcError | null {
  const http = Number(headers[":status"]);
  if (http !== 200) return new GrpcError(codeOfHttp(http), `server answered with HTTP status ${http}`, "call");
  const type = String(headers["content-type"] ?? "");
  if (/^application\/grpc(?![a-z-])/i.test(type)) return null;
  const shown = type.slice(0, 100);
  return new GrpcError(Code.Unknown, `server answered with content type "${shown}", which is not gRPC`, "call");
}

/** gRPC's "HTTP to gRPC Status Code Mapping". */
function codeOfHttp(status: number): Code {
  switch (status) {
    case 400:
      return Code.Internal;
    case 401:
      return Code.Unauthenticated;
    case 403:
      return Code.PermissionDenied;
    case 404:
      return Code.Unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return Code.Unavailable;
    default:
      return Code.Unknown;
  }
}

/** Returns the status in trailers, or in the headers of a response without messages; null where there is none. */
export function statusOf(headers: IncomingHeaders): Outcome | null {
  const status = headers["grpc-status"];
  if (status === undefined) return null;
  const code = /^\d{1,3}$/.test(String(status)) ? codeOf(Number(status)) : Code.Unknown;
  return code === Code.Ok ? "ok" : new GrpcError(code, decodeMessage(String(headers["grpc-message"] ?? "")), "call");
}

/** Decodes percent-encoded UTF-8; other text is returned unchanged. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const NO_ERROR = 0, REFUSED_STREAM = 7, CANCEL = 8, ENHANCE_YOUR_CALM = 11, INADEQUATE_SECURITY = 12;
const NAMES = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
];

/** Makes the error of a stream that HTTP/2 ended without a status (`docs/spec/xds-state.md` 2.11). */
export function resetError(code: number): GrpcError {
  const name = NAMES[code] ?? `error ${code}`;
  const text = code === NO_ERROR ? "server ended the call without a status" : `server reset the call: ${name}`;
  return new GrpcError(codeOfReset(code), text, "call");
}

function codeOfReset(code: number): Code {
  switch (code) {
    case REFUSED_STREAM:
      return Code.Unavailable;
    case CANCEL:
      return Code.Cancelled;
    case ENHANCE_YOUR_CALM:
      return Code.ResourceExhausted;
    case INADEQUATE_SECURITY:
      return Code.PermissionDenied;
    case 5:
    case 6:
    case 13:
      return Code.Unknown;
    default:
      return Code.Internal;
  }
}

/** Describes a GOAWAY. `debug`: from the server; it is shortened and escaped. */
export function goawayText(code: number, debug: Uint8Array | undefined): string {
  const text = debug === undefined ? "" : new TextDecoder().decode(debug.subarray(0, 256));
  return `server sent GOAWAY ${NAMES[code] ?? code}${text === "" ? "" : ` ${JSON.stringify(text)}`}`;
}

/** Makes the error of calls that ended because of a GOAWAY. `text`: as {@link goawayText} returns it. */
export function goawayError(code: number, text: string): GrpcError {
  return new GrpcError(code === NO_ERROR ? Code.Unknown : codeOfReset(code), text, "call");
}

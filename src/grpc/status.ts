/** gRPC status codes, and the error that carries one. */
import { quote } from "../telemetry/rust_text.ts";

/** The status codes of gRPC. */
export const Code = {
  Ok: 0,
  Cancelled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const;
export type Code = typeof Code[keyof typeof Code];

/** Names and descriptions, as the Rust library formats them (`docs/spec/observed.md` O11). */
const TEXTS: readonly (readonly [name: string, description: string])[] = [
  ["Ok", "The operation completed successfully"],
  ["Cancelled", "The operation was cancelled"],
  ["Unknown", "Unknown error"],
  ["InvalidArgument", "Client specified an invalid argument"],
  ["DeadlineExceeded", "Deadline expired before operation could complete"],
  ["NotFound", "Some requested entity was not found"],
  ["AlreadyExists", "Some entity that we attempted to create already exists"],
  ["PermissionDenied", "The caller does not have permission to execute the specified operation"],
  ["ResourceExhausted", "Some resource has been exhausted"],
  ["FailedPrecondition", "The system is not in a state required for the operation's execution"],
  ["Aborted", "The operation was aborted"],
  ["OutOfRange", "Operation was attempted past the valid range"],
  ["Unimplemented", "Operation is not implemented or not supported"],
  ["Internal", "Internal error"],
  ["Unavailable", "The service is currently unavailable"],
  ["DataLoss", "Unrecoverable data loss or corruption"],
  ["Unauthenticated", "The request does not have valid authentication credentials"],
];

/** Returns the code for a received number; `Unknown` for a number that gRPC does not define. */
export function codeOf(number: number): Code {
  return TEXTS[number] === undefined ? Code.Unknown : number as Code;
}

/** Returns the name of a code, such as `Unavailable`. */
export function codeName(code: Code): string {
  return TEXTS[code]![0];
}

/** Returns the description of a code, such as `The service is currently unavailable`. */
export function codeDescription(code: Code): string {
  return TEXTS[code]![1];
}

/**
 * Where a call failed. `setup`: roots or client certificate; no connection was tried. `connect`: name resolution, TCP,
 * TLS or the token. `call`: after the request was sent.
 */
type Stage = "setup" | "connect" | "call";

/** Longer messages are shortened, as they come from the peer and appear in logs and dumps. */
const MESSAGE_MAX = 2048;

/** A call that did not end with OK. Contains no secrets. */
export class GrpcError extends Error {
  override readonly name = "GrpcError";
  /** The underlying error of the system, of TLS or of a file. */
  readonly source: string | null;

  /** `message`: from the server, or made by this side. */
  constructor(readonly code: Code, message: string, readonly stage: Stage, source: string | null = null) {
    super(message.length <= MESSAGE_MAX ? message : `${message.slice(0, MESSAGE_MAX)}...`);
    this.source = source;
  }
}

/**
 * Formats an error with hints, as the Rust ztunnel does: `status: Unavailable, message: "...", source: ...`
 * (`docs/spec/xds-state.md` 2.11).
 */
export function describeStatus(error: GrpcError): string {
  let text = `status: ${codeName(error.code)}, message: ${quote(error.message)}`;
  if (error.message.includes("authentication failure")) {
    text += " (hint: check the control plane logs for more information)";
  }
  if (error.source !== null) text += `, source: ${error.source}`;
  if (error.source?.includes("Temporary failure in name resolution")) text += " (hint: is the DNS server reachable?)";
  return text;
}

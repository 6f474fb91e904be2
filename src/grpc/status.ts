/** gRPC status codes, and the error that carries one. */
import { quote } from "../telemetry/rust_text.ts";

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

/** Names, and what operators read in `signing gRPC error (...)` (`docs/spec/observed.md` O11). */
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

/** A number as it came; what nobody knows is `Unknown`. */
export function codeOf(number: number): Code {
  return TEXTS[number] === undefined ? Code.Unknown : number as Code;
}

/** `Unavailable` */
export function codeName(code: Code): string {
  return TEXTS[code]![0];
}

/** `The service is currently unavailable` */
export function codeDescription(code: Code): string {
  return TEXTS[code]![1];
}

/**
 * Where a call failed: `setup` is whom we trust and our own key, nothing was tried; `connect` is name resolution, TCP,
 * TLS, the token; `call` is everything once a request was sent.
 */
export type Stage = "setup" | "connect" | "call";

/** Longer texts of a peer are cut: they end in logs and dumps. */
const MESSAGE_MAX = 2048;

/** A call that did not end with OK. Nothing in it is secret. */
export class GrpcError extends Error {
  override readonly name = "GrpcError";
  /** What lies below it: an error of the system, of TLS, of a file. */
  readonly source: string | null;

  /** `message`: the server's, or ours. */
  constructor(readonly code: Code, message: string, readonly stage: Stage, source: string | null = null) {
    super(message.length <= MESSAGE_MAX ? message : `${message.slice(0, MESSAGE_MAX)}...`);
    this.source = source;
  }
}

/**
 * `status: Unavailable, message: "...", source: ...` with hints, as operators of the native proxy know it
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

/** One question to one server, by UDP or TCP. */
import type { Millis } from "../net/clock.ts";
import type { Network, SocketOptions } from "../net/network.ts";
import type { ResponseFacts } from "./response_reader.ts";

/** What all questions of one resolver have in common. */
export interface UpstreamParts {
  readonly network: Network;
  /** Mark and namespace of the sockets. */
  readonly sockets: Pick<SocketOptions, "mark" | "namespace">;
  /** Time for one server to answer. */
  readonly timeout: Millis;
  /** A random id of 16 bits that cannot be guessed. */
  readonly randomId: () => number;
}

/** A response of an upstream server. */
export interface UpstreamResponse {
  /** The bytes as received, with the id of our question. Owned by the receiver. */
  readonly bytes: Uint8Array;
  readonly facts: ResponseFacts;
}

/** Exactly one of the two is called, once, unless the attempt is aborted. */
export interface AttemptEvents {
  /** `after`: time since the attempt began. */
  onAnswer(answer: UpstreamResponse, after: Millis): void;
  /** An errno name, or `TIMEOUT`, `NOT_SENT`, `TOO_MANY_MISMATCHES`, `NO_ANSWER`. */
  onAttemptFailure(code: string): void;
}

/** An attempt in progress. */
export interface Attempt {
  /** Ends the attempt without calling an event. Idempotent. */
  abort(): void;
}

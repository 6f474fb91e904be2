/** What one question to one server is, whatever carries it. */
import type { Millis } from "../net/clock.ts";
import type { Network, SocketOptions } from "../net/network.ts";
import type { ResponseFacts } from "./response_reader.ts";

/** What all questions of one resolver share. */
export interface UpstreamParts {
  readonly network: Network;
  /** Mark and namespace of the sockets. */
  readonly sockets: Pick<SocketOptions, "mark" | "namespace">;
  /** For one server to answer. */
  readonly timeout: Millis;
  /** 16 bits that nobody can guess. */
  readonly randomId: () => number;
}

export interface Answer {
  /** As they came, with the id of our question. Nobody else has them. */
  readonly bytes: Uint8Array;
  readonly facts: ResponseFacts;
}

/** One of the two is called, once, unless the attempt was aborted. */
export interface AttemptEvents {
  onAnswer(answer: Answer, after: Millis): void;
  /** An errno name, or `TIMEOUT`, `NOT_SENT`, `TOO_MANY_STRANGERS`, `NO_ANSWER`. */
  onAttemptFailure(code: string): void;
}

export interface Attempt {
  /** Nothing is heard of it any more. Idempotent. */
  abort(): void;
}

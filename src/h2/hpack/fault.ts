/** Why header blocks are refused. */
import type { HeaderList } from "../seam.ts";

/**
 * Why a header block yields no header list.
 *
 * | fault | what ends, and how | dynamic table |
 * |---|---|---|
 * | `compression` | the connection, COMPRESSION_ERROR (RFC 7541, RFC 9113 §4.3) | unusable |
 * | `budget` | the connection, ENHANCE_YOUR_CALM (`docs/spec/observed.md` O32, O33) | unusable |
 * | `too-large` | the stream, a request with 431 (RFC 9113 §10.5.1, RFC 6585 §5) | still valid |
 * | `malformed` | the stream, PROTOCOL_ERROR (RFC 9113 §8.1.1, `docs/spec/observed.md` O36) | still valid |
 */
export type HpackFault = {
  readonly fault: "compression" | "too-large" | "budget" | "malformed";
  /** For the log. Contains no text of the peer. */
  readonly reason: string;
};

/** Distinguishes the two results of decoding a block. */
export function isFault(x: HeaderList | HpackFault): x is HpackFault {
  return "fault" in x;
}

/** The peer violates RFC 7541: the connection must end. */
export function compressionFault(reason: string): HpackFault {
  return { fault: "compression", reason };
}

/** A client that has reset its connection before there was an upstream. */
import { type Duplex, type Ending, FAILED } from "../net/duplex.ts";

/** The ending of a client that sent nothing before its reset. */
export const CLIENT_RESET: Ending = {
  by: "peer",
  how: "reset",
  code: "ECONNRESET",
  message: "Connection reset by peer (os error 104)",
};

/** Bytes that are read at once. What the client sent beyond them stays in its socket, and is read later. */
const READ_SIZE = 4096;

/** What the client of a `broken` stream sent before its reset, or the beginning of it; null: nothing. */
export function bytesBeforeReset(client: Duplex): Uint8Array | null {
  const buffer = new Uint8Array(READ_SIZE);
  const count = client.read(buffer);
  return count === FAILED || count === 0 ? null : buffer.subarray(0, count);
}

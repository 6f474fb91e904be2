/** The server's side of HTTP/2 for a single request: whoever has another one needs another connection. */
import { FLAG_END_HEADERS, FRAME_HEADER, FrameType, getUint24, getUint31, PREFACE } from "../src/h2/frame.ts";
import { data, frame, goAway, settings, settingsAck } from "../src/h2/testkit/frames.ts";
import type { Duplex } from "../src/net/duplex.ts";

/** More than what a client sends up to its first request. */
const ROOM = 16_384;
/** RFC 7541, Appendix A: `:status: 200` in the static table. */
const STATUS_200 = [0x88];

/** A body of one byte: whoever gets it knows that its request was answered. */
export const ANSWER = 0x2e;

/**
 * Sends SETTINGS, answers the first request with 200 and {@link ANSWER}, and takes no further ones: GOAWAY goes ahead of
 * the answer, so that a client cannot use the connection again. It closes when the client has.
 */
export function answerOneRequest(duplex: Duplex): void {
  const received = new Uint8Array(ROOM);
  let length = 0, answered = false;
  const onReadable = () => {
    for (let count; (count = duplex.read(received.subarray(length))) > 0;) {
      length = answered ? 0 : length + count;
      const stream = answered ? null : firstRequest(received.subarray(0, length));
      if (stream === null) continue;
      answered = true;
      duplex.write(answerTo(stream));
    }
    if (duplex.ended) duplex.close();
  };
  duplex.start({ onReadable, onWritable() {}, onFailure: () => duplex.close(true) });
  duplex.write(settings());
  onReadable();
}

/** The stream of the first request in what a client has sent; null: it is not there yet. */
function firstRequest(bytes: Uint8Array): number | null {
  for (let at = PREFACE.length; at + FRAME_HEADER <= bytes.length; at += FRAME_HEADER + getUint24(bytes, at)) {
    const isWhole = at + FRAME_HEADER + getUint24(bytes, at) <= bytes.length;
    if (isWhole && bytes[at + 3] === FrameType.HEADERS) return getUint31(bytes, at + 5);
  }
  return null;
}

function answerTo(stream: number): Uint8Array {
  const status = frame(FrameType.HEADERS, FLAG_END_HEADERS, stream, STATUS_200);
  const parts = [settingsAck(), goAway(stream), status, data(stream, [ANSWER], true)];
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Makes streamed responses from generators. */
import type { StreamedResponse } from "./response.ts";

/** Pieces of text are joined up to this length in characters, as each write has a cost. */
const JOINED_MAX = 16 * 1024;

/** A response with status 200. `onClose` is called once, when it was sent or aborted. */
export function streamed(
  headers: StreamedResponse["headers"],
  pieces: AsyncGenerator<string | Uint8Array, void, undefined>,
  onClose: () => void,
): StreamedResponse {
  return {
    status: 200,
    headers,
    async next() {
      let text = "";
      while (text.length < JOINED_MAX) {
        const piece = await pieces.next();
        if (piece.done) return text === "" ? null : text;
        if (typeof piece.value !== "string") return piece.value;
        text += piece.value;
      }
      return text;
    },
    close() {
      // The generator may be waiting for a slice, and then ends after that.
      pieces.return().catch(() => {});
      onClose();
    },
  };
}

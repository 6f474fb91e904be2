/** Streamed responses from generators. */
import type { StreamedResponse } from "./response.ts";

/** Pieces of text are joined up to this length, so that small ones do not cost a write each. Characters. */
const GATHERED = 16 * 1024;

/** 200. `onClose`: called once, when it was sent or given up. */
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
      while (text.length < GATHERED) {
        const piece = await pieces.next();
        if (piece.done) return text === "" ? null : text;
        if (typeof piece.value !== "string") return piece.value;
        text += piece.value;
      }
      return text;
    },
    close() {
      // It may wait for a slice: then it ends when that has come.
      pieces.return().catch(() => {});
      onClose();
    },
  };
}

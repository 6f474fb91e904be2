/** Pieces of streamed bodies. */

/** The text of a piece. */
export function textOf(piece: string | Uint8Array | null): string | null {
  return piece instanceof Uint8Array ? new TextDecoder().decode(piece) : piece;
}

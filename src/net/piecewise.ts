/** Scattered reads and gathered writes of streams that read and write one part at a time, such as TLS. */
import { type Duplex, FAILED, type Segments } from "./duplex.ts";

/** {@link Duplex.readScatter} by {@link Duplex.read}; a failure behind bytes is reported by the next call. */
export function readPieces(
  stream: Pick<Duplex, "read" | "readable">,
  into: Uint8Array,
  segments: Segments,
  count: number,
): number {
  let total = 0;
  for (let i = 0; i < count && (i === 0 || stream.readable); i++) {
    const start = segments[2 * i]!, length = segments[2 * i + 1]!;
    const filled = stream.read(into.subarray(start, start + length));
    if (filled === FAILED) return total > 0 ? total : FAILED;
    total += filled;
    if (filled < length) break;
  }
  return total;
}

/** {@link Duplex.writeGather} by {@link Duplex.write}. */
export function writePieces(
  stream: Pick<Duplex, "write">,
  from: Uint8Array,
  segments: Segments,
  count: number,
): number {
  let total = 0;
  for (let i = 0; i < count; i++) {
    const start = segments[2 * i]!, length = segments[2 * i + 1]!;
    const taken = stream.write(from.subarray(start, start + length));
    if (taken === FAILED) return FAILED;
    total += taken;
    if (taken < length) break;
  }
  return total;
}

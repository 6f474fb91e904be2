/**
 * Compresses response bodies while they are sent, outside the main thread, as the metrics may have megabytes. The runtime's
 * modules are loaded by the first compressed response, since they would take 10 ms of CPU at the start.
 */
import type { Transform } from "node:stream";
import type * as Zlib from "node:zlib";
import type { ContentCoding } from "./content_coding.ts";

type Coding = Exclude<ContentCoding, "identity">;

const STREAMS: Readonly<Record<Coding, (zlib: typeof Zlib) => Transform>> = {
  zstd: (zlib) => zlib.createZstdCompress(),
  // The default quality of brotli is for files that are compressed once and too slow here.
  br: (zlib) => zlib.createBrotliCompress({ params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } }),
  gzip: (zlib) => zlib.createGzip(),
  deflate: (zlib) => zlib.createDeflate(),
};

/** Yields the compressed `pieces`. Each piece is requested only after the previous ones were consumed. */
export async function* compressedPieces(
  pieces: AsyncGenerator<string, void, undefined>,
  coding: Coding,
): AsyncGenerator<Uint8Array, void, undefined> {
  const [{ pipeline, Readable }, zlib] = await Promise.all([import("node:stream"), import("node:zlib")]);
  const stream = STREAMS[coding](zlib);
  // A write error also surfaces in the loop below. A consumer that stops reading ends both.
  pipeline(Readable.from(pieces, { highWaterMark: 1 }), stream, () => {});
  for await (const chunk of stream) yield chunk;
}

/** Compresses response bodies while they are sent, outside the main thread, as the metrics may have megabytes. */
import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import * as zlib from "node:zlib";
import type { ContentCoding } from "./content_coding.ts";

const STREAMS: Readonly<Record<Exclude<ContentCoding, "identity">, () => Transform>> = {
  zstd: () => zlib.createZstdCompress(),
  // The default quality of brotli is for files that are compressed once and too slow here.
  br: () => zlib.createBrotliCompress({ params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } }),
  gzip: () => zlib.createGzip(),
  deflate: () => zlib.createDeflate(),
};

/** Yields the compressed `pieces`. Each piece is requested only after the previous ones were consumed. */
export async function* compressedPieces(
  pieces: AsyncGenerator<string, void, undefined>,
  coding: Exclude<ContentCoding, "identity">,
): AsyncGenerator<Uint8Array, void, undefined> {
  const stream = STREAMS[coding]();
  // A write error also surfaces in the loop below. A consumer that stops reading ends both.
  pipeline(Readable.from(pieces, { highWaterMark: 1 }), stream).catch(() => {});
  for await (const chunk of stream) yield chunk;
}

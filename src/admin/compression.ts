/** Compressed bodies. */
import { promisify } from "node:util";
import * as zlib from "node:zlib";
import { chooseCoding, type ContentCoding } from "./content_coding.ts";
import type { RequestHead } from "./request_head.ts";
import { empty, type HttpResponse } from "./response.ts";

/** Bodies below this gain nothing, bytes. */
const SIZE_MIN = 32;

type Compress = (body: Uint8Array) => Promise<Uint8Array>;

/** Off the main thread: a scrape may be megabytes. */
const COMPRESS: Readonly<Record<Exclude<ContentCoding, "identity">, Compress>> = {
  zstd: promisify<Uint8Array, Uint8Array>(zlib.zstdCompress),
  // The default quality of brotli is meant for files that are compressed once.
  br: (body) => promisify(zlib.brotliCompress)(body, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } }),
  gzip: promisify<Uint8Array, Uint8Array>(zlib.gzip),
  deflate: promisify<Uint8Array, Uint8Array>(zlib.deflate),
};

/**
 * The response in the form the client prefers, or 406. `coded`: what was made of this body before, and where to keep
 * what is made of it now.
 */
export async function compressed(
  request: RequestHead,
  response: HttpResponse,
  coded = new Map<ContentCoding, Promise<Uint8Array>>(),
): Promise<HttpResponse> {
  const coding = chooseCoding(request.headers.get("accept-encoding") ?? []);
  if (coding === null) return empty(406);
  const body = typeof response.body === "string" ? new TextEncoder().encode(response.body) : response.body;
  const vary = ["vary", "accept-encoding"] as const;
  if (coding === "identity" || body.length < SIZE_MIN) {
    return { ...response, body, headers: [...response.headers, vary] };
  }
  let made = coded.get(coding);
  if (made === undefined) coded.set(coding, made = COMPRESS[coding](body));
  return { ...response, headers: [...response.headers, ["content-encoding", coding], vary], body: await made };
}

/** Responses of the servers of this room, and their encoding. */

/** A response with its whole body. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string | Uint8Array;
  /** Called once, when it has been sent or was aborted. */
  close?(): void;
}

type Headers = readonly (readonly [name: string, value: string])[];

/** A response whose body is made while it is sent. Its length is not known in advance. */
export interface StreamedResponse {
  readonly status: number;
  readonly headers: Headers;
  /** The next piece; null at the end. Called after the previous piece was written. */
  next(): Promise<string | Uint8Array | null>;
  /** Of a body without an end of its own: ends it, as the drain has ended. */
  readonly drain?: () => void;
  /** Called once in any case, also where `next` was never called. */
  close(): void;
}

/** Whether the body is streamed. */
export function isStreamed(response: HttpResponse | StreamedResponse): response is StreamedResponse {
  return "next" in response;
}

/** A response without a body. */
export function empty(status: number): HttpResponse {
  return { status, headers: [], body: "" };
}

/** A response with `text/plain`, without a character set, as existing clients expect it. */
export function plainText(status: number, body: string): HttpResponse {
  return { status, headers: [["content-type", "text/plain"]], body };
}

/** The response to an error in a handler: its message, without a content type. */
export function failed(error: unknown): HttpResponse {
  return { status: 500, headers: [], body: error instanceof Error ? error.message : String(error) };
}

const REASONS = new Map([
  [200, "OK"],
  [400, "Bad Request"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [406, "Not Acceptable"],
  [414, "URI Too Long"],
  [417, "Expectation Failed"],
  [431, "Request Header Fields Too Large"],
  [500, "Internal Server Error"],
  [503, "Service Unavailable"],
]);

const encoder = new TextEncoder();

/** How a response is encoded. */
interface EncodeOptions {
  /** The response to HEAD: all headers, no body. */
  readonly headOnly: boolean;
  /** Whether the connection ends after this response. */
  readonly close: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** The bytes of a response. */
export function encodeResponse({ status, headers, body }: HttpResponse, options: EncodeOptions): Uint8Array {
  const content = typeof body === "string" ? encoder.encode(body) : body;
  const head = encodeHead(status, [...headers, ["content-length", String(content.length)]], options);
  if (options.headOnly) return head;
  const bytes = new Uint8Array(head.length + content.length);
  bytes.set(head);
  bytes.set(content, head.length);
  return bytes;
}

/** The head of a streamed response. Without chunks the body ends with the connection. */
export function encodeStreamHead(
  { status, headers }: StreamedResponse,
  options: EncodeOptions & { readonly chunked: boolean },
): Uint8Array {
  return encodeHead(status, options.chunked ? [...headers, ["transfer-encoding", "chunked"]] : headers, options);
}

/** Pieces of more bytes are written without a copy. */
const COPIED_MAX = 16 * 1024;

/**
 * A piece as a chunk (RFC 9112 §7.1), in parts that are written one after the other. Must not be empty, as an empty chunk
 * ends the body.
 */
export function encodeChunk(content: Uint8Array): readonly Uint8Array[] {
  const size = encoder.encode(`${content.length.toString(16)}\r\n`);
  if (content.length > COPIED_MAX) return [size, content, encoder.encode("\r\n")];
  const bytes = new Uint8Array(size.length + content.length + 2);
  bytes.set(size);
  bytes.set(content, size.length);
  bytes.set([13, 10], size.length + content.length);
  return [bytes];
}

/** Ends a body of chunks. */
export const LAST_CHUNK: Uint8Array = encoder.encode("0\r\n\r\n");

function encodeHead(status: number, headers: Headers, { close, now }: EncodeOptions): Uint8Array {
  const lines = [
    `HTTP/1.1 ${status} ${REASONS.get(status) ?? ""}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(close ? ["connection: close"] : []),
    `date: ${new Date(now).toUTCString()}`,
  ];
  return encoder.encode(`${lines.join("\r\n")}\r\n\r\n`);
}

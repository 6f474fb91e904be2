/** Responses of the servers of this room, and their bytes. */

export interface HttpResponse {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string | Uint8Array;
}

/** Status only. */
export function empty(status: number): HttpResponse {
  return { status, headers: [], body: "" };
}

/** `text/plain`, without a character set, as clients know it. */
export function plainText(status: number, body: string): HttpResponse {
  return { status, headers: [["content-type", "text/plain"]], body };
}

/** A failure inside a handler: its text, without a type. */
export function failed(error: unknown): HttpResponse {
  return { status: 500, headers: [], body: error instanceof Error ? error.message : String(error) };
}

const REASONS = new Map([
  [200, "OK"],
  [400, "Bad Request"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [406, "Not Acceptable"],
  [414, "URI Too Long"],
  [431, "Request Header Fields Too Large"],
  [500, "Internal Server Error"],
]);

const encoder = new TextEncoder();

export interface EncodeOptions {
  /** The answer to HEAD: all headers, no body. */
  readonly headOnly: boolean;
  /** The connection ends with this response. */
  readonly close: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export function encodeResponse({ status, headers, body }: HttpResponse, options: EncodeOptions): Uint8Array {
  const content = typeof body === "string" ? encoder.encode(body) : body;
  const lines = [
    `HTTP/1.1 ${status} ${REASONS.get(status) ?? ""}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    `content-length: ${content.length}`,
    ...(options.close ? ["connection: close"] : []),
    `date: ${new Date(options.now).toUTCString()}`,
  ];
  const head = encoder.encode(`${lines.join("\r\n")}\r\n\r\n`);
  if (options.headOnly) return head;
  const bytes = new Uint8Array(head.length + content.length);
  bytes.set(head);
  bytes.set(content, head.length);
  return bytes;
}

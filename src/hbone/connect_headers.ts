/** The CONNECT request and its response as header lists (`docs/spec/dataplane.md` 2.4). */
import type { HeaderList } from "../h2/seam.ts";

/** The values of a CONNECT request's headers. */
interface ConnectRequest {
  readonly authority: string;
  readonly baggage: string;
  readonly forwarded: string;
  readonly traceparent: string;
  /** Value of `x-forwarded-network`; only the inner request of a nested tunnel has it. */
  readonly network?: string;
}

/** The header list of a CONNECT request, in the order of the specification. */
export function connectHeaders(request: ConnectRequest): HeaderList {
  const headers: [string, string][] = [
    [":method", "CONNECT"],
    [":authority", request.authority],
    ["baggage", request.baggage],
    ["forwarded", request.forwarded],
    ["traceparent", request.traceparent],
  ];
  if (request.network !== undefined) headers.push(["x-forwarded-network", request.network]);
  return headers;
}

/** The first value of header `name`, or null. */
export function headerValue(headers: HeaderList, name: string): string | null {
  for (const field of headers) if (field[0] === name) return field[1];
  return null;
}

/** All values of header `name`, in order. */
export function headerValues(headers: HeaderList, name: string): string[] {
  return headers.filter((field) => field[0] === name).map((field) => field[1]);
}

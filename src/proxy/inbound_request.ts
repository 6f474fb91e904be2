/** What is used of a CONNECT's header list, so that the rest (up to 64 KiB) does not live as long as its tunnel. */
import type { HeaderList } from "../h2/seam.ts";
import { headerValue, headerValues } from "../hbone/connect_headers.ts";
import { parseForwardedHost } from "../mesh/forwarded.ts";

/** A DNS name is shorter (RFC 1035 §2.3.4), and so is any address. */
const LONGEST_HOST = 255;

export interface InboundRequest {
  /** Empty where there is none. */
  readonly method: string;
  readonly authority: string | null;
  /** The service that the client named (`docs/spec/xds-state.md` 6.3). */
  readonly forwardedHost: string | null;
  /** `x-forwarded-network`. */
  readonly network: string | null;
  /** All values, as they came. */
  readonly baggage: readonly string[];
}

export function readInboundRequest(headers: HeaderList): InboundRequest {
  const host = parseForwardedHost(headerValue(headers, "forwarded"));
  return {
    method: headerValue(headers, ":method") ?? "",
    authority: headerValue(headers, ":authority"),
    forwardedHost: host !== null && host.length <= LONGEST_HOST ? host : null,
    network: headerValue(headers, "x-forwarded-network"),
    baggage: headerValues(headers, "baggage"),
  };
}

/** The same without what only the opening of the record needs. */
export function withoutBaggage(request: InboundRequest): InboundRequest {
  return { ...request, baggage: [] };
}

/** What is used of a CONNECT's header list, so that the rest (up to 64 KiB) does not live as long as its tunnel. */
import type { HeaderList } from "../h2/seam.ts";
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

const NO_BAGGAGE: readonly string[] = [];

export function readInboundRequest(headers: HeaderList): InboundRequest {
  let method = "", authority = null, forwarded = null, network = null, baggage: string[] | null = null;
  for (const [name, value] of headers) {
    switch (name) {
      case ":method":
        method = value;
        break;
      case ":authority":
        authority = value;
        break;
      case "forwarded":
        forwarded ??= value;
        break;
      case "x-forwarded-network":
        network ??= value;
        break;
      case "baggage":
        (baggage ??= []).push(value);
    }
  }
  const host = parseForwardedHost(forwarded);
  const forwardedHost = host !== null && host.length <= LONGEST_HOST ? host : null;
  return { method, authority, forwardedHost, network, baggage: baggage ?? NO_BAGGAGE };
}

/** The same without what only the opening of the record needs. */
export function withoutBaggage(request: InboundRequest): InboundRequest {
  return request.baggage.length === 0 ? request : { ...request, baggage: NO_BAGGAGE };
}

/** The parts of a CONNECT's header list that are used. The rest (up to 64 KiB) is freed while the stream is open. */
import type { HeaderList } from "../h2/seam.ts";
import { parseForwardedHost } from "../mesh/headers/forwarded.ts";
import { TRACEPARENT_LENGTH } from "../mesh/headers/traceparent.ts";

/** Longer than any DNS name (RFC 1035 §2.3.4) and any address. */
const LONGEST_HOST = 255;

/** A request of a peer. */
export interface InboundRequest {
  /** Empty: the header is missing. */
  readonly method: string;
  readonly authority: string | null;
  /** The service that the client named (`docs/spec/xds-state.md` 6.3). */
  readonly forwardedHost: string | null;
  /** `x-forwarded-network`. */
  readonly network: string | null;
  /** All values, as they were received. {@link dropBaggage} empties it. */
  baggage: readonly string[];
  /** Null: none of the right length. Its digits are not checked. */
  readonly traceparent: string | null;
}

const NO_BAGGAGE: readonly string[] = [];

/** Extracts the parts that are used. */
export function readInboundRequest(headers: HeaderList): InboundRequest {
  let method = "", authority = null, forwarded = null, network = null, baggage: string[] | null = null;
  let traceparent = null;
  // By index: see `h2/message.ts`.
  for (let i = 0; i < headers.length; i++) {
    const name = headers[i]![0], value = headers[i]![1];
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
      case "traceparent":
        if (value.length === TRACEPARENT_LENGTH) traceparent ??= value;
        break;
      case "baggage":
        (baggage ??= []).push(value);
    }
  }
  const host = parseForwardedHost(forwarded);
  const forwardedHost = host !== null && host.length <= LONGEST_HOST ? host : null;
  return { method, authority, forwardedHost, network, baggage: baggage ?? NO_BAGGAGE, traceparent };
}

/** Frees what is needed only when the connection record is opened. */
export function dropBaggage(request: InboundRequest): void {
  request.baggage = NO_BAGGAGE;
}

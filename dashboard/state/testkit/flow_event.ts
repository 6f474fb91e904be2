/** Flows for tests of the page. */
import type { FlowEvent } from "../wire.ts";

/** A connection that has ended well, with changes. */
export function flowEvent(changes: Partial<FlowEvent> = {}): FlowEvent {
  return {
    event: "ended",
    time: "2026-12-01T12:00:00.000Z",
    id: "0123456789abcdef0123456789abcdef",
    direction: "outbound",
    state: "ended",
    verdict: "ok",
    source: { address: "10.0.0.1:4000", workload: "web-0", namespace: "shop", identity: "spiffe://td/ns/shop/sa/web" },
    destination: { address: "10.0.0.2:80", workload: "cart-0", namespace: "shop", identity: null },
    target: "10.0.0.2:80",
    service: "cart.shop.svc",
    protocol: "HBONE",
    tls: { version: "TLSv1.3", group: "X25519MLKEM768" },
    carrier: 1,
    attempt: 1,
    dryRuns: [],
    bytesSent: 100,
    bytesReceived: 2000,
    age: 1500,
    idle: null,
    times: { resolved: 0, authorized: null, connected: 1, handshaken: 3, answered: 5 },
    ending: { by: "client", how: "fin", phase: "open" },
    flag: "-",
    error: null,
    ...changes,
  };
}

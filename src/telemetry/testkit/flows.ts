/** Flows for tests. */
import { parseSocketAddress, type SocketAddress } from "../../net/address.ts";
import type { FlowParts } from "../flow.ts";

const at = (text: string): SocketAddress => parseSocketAddress(text)!;

/** The parts of an open outbound connection. */
export function flowParts(changes: Partial<FlowParts> = {}): FlowParts {
  return {
    direction: "outbound",
    state: "open",
    source: at("10.1.0.5:41000"),
    destination: at("10.1.0.9:15008"),
    target: at("10.2.0.10:80"),
    sides: null,
    mutualTls: true,
    service: "cart.shop.svc.cluster.local",
    isHbone: true,
    traceparent: null,
    continuesTrace: false,
    id: "0af7651916cd43dd8448eb211c80319c",
    tls: { version: "TLSv1.3", group: "X25519MLKEM768" },
    carrier: 3,
    attempt: 1,
    decision: null,
    dryRuns: [],
    times: { resolved: 0, authorized: null, connected: 1, handshaken: 2, answered: 3, clientByte: 4, serverByte: 5 },
    bytesSent: 10,
    bytesReceived: 20,
    age: 1500,
    idle: 5,
    ending: null,
    flag: null,
    error: null,
    ...changes,
  };
}

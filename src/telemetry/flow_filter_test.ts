import { strict as assert } from "node:assert";
import type { Flow } from "./flow.ts";
import { matchesFilter, parseFlowFilter } from "./flow_filter.ts";

const FLOW: Flow = {
  id: "0af7651916cd43dd8448eb211c80319c",
  direction: "outbound",
  state: "open",
  verdict: "ok",
  source: {
    address: "10.1.0.5:41000",
    workload: "front-1",
    namespace: "shop",
    identity: "spiffe://d/ns/shop/sa/front",
  },
  destination: { address: "[fd00::9]:15008", workload: "cart-1", namespace: "carts", identity: "spiffe://d/ns/c/sa/c" },
  target: "10.2.0.10:80",
  service: "cart.carts.svc.cluster.local",
  protocol: "HBONE",
  tls: null,
  carrier: null,
  attempt: 1,
  decision: null,
  dryRuns: [],
  bytesSent: 1,
  bytesReceived: 2,
  age: 60_000,
  idle: 5,
  times: { resolved: 0, authorized: null, connected: 1, handshaken: 2, answered: 3, clientByte: 4, serverByte: 5 },
  ending: null,
  flag: null,
  error: null,
};

function matches(query: string): boolean {
  const filter = parseFlowFilter(new URLSearchParams(query));
  assert.ok(typeof filter !== "string", `${query}: ${filter}`);
  return matchesFilter(filter, FLOW);
}

Deno.test("flow filter: each condition, met and not met", () => {
  const met = [
    ...["", "workload=", "workload=front-1", "workload=carts/cart-1", "namespace=carts", "namespace=shop"],
    ...["service=cart", "service=cart.carts", "service=cart.carts.svc.cluster.local", "address=10.1.0.5"],
    ...["address=10.1.0.5:41000", "address=fd00::9", "address=%5Bfd00::9%5D:15008", "address=10.2.0.10:80"],
    ...["identity=spiffe://d/ns/c/sa/c", "direction=outbound", "state=open", "verdict=ok", "older=60s", "older=1m"],
    ...["older=59999ms", "namespace=carts&workload=front-1", "other=1", "state=ended&state=open"],
  ];
  for (const query of met) assert.equal(matches(query), true, query);
  const notMet = [
    ...["workload=front", "workload=carts/front-1", "namespace=sh", "service=car", "service=carts", "address=10.1.0"],
    ...["address=10.1.0.5:4100", "identity=spiffe://d/ns/c/sa", "direction=inbound", "state=ended", "verdict=denied"],
    ...["dryrun=true", "older=2m", "older=1h", "namespace=carts&workload=other"],
  ];
  for (const query of notMet) assert.equal(matches(query), false, query);
});

Deno.test("flow filter: invalid values are named", () => {
  const wrong = {
    "direction=up": /^invalid value of direction: inbound, outbound$/,
    "state=OPEN": /^invalid value of state: accepted, /,
    "verdict=allow": /^invalid value of verdict: ok, denied, failed$/,
    "dryrun=1": /^invalid value of dryrun: true$/,
    "older=5": /^invalid value of older: a time such as/,
    "older=-5s": /older/,
    "older=9999999999s": /older/,
    [`workload=${"x".repeat(513)}`]: /^invalid value of workload: at most 512 characters$/,
  };
  for (const [query, text] of Object.entries(wrong)) {
    const filter = parseFlowFilter(new URLSearchParams(query));
    assert.ok(typeof filter === "string", query);
    assert.match(filter, text);
  }
});

import { strict as assert } from "node:assert";
import { parseSocketAddress } from "../net/address.ts";
import type { FlowParts } from "./flow.ts";
import { matchesFilter, parseFlowFilter } from "./flow_filter.ts";
import { flowParts } from "./testkit/flows.ts";
import type { TrafficPeer } from "./traffic_peer.ts";

const at = (text: string) => parseSocketAddress(text)!;
const side = (workload: string, namespace: string, identity: string): TrafficPeer => {
  return { labels: "", locality: "", log: { workload, namespace, identity, cluster: null } };
};
const FLOW = flowParts({
  source: at("10.1.0.5:41000"),
  destination: at("[fd00::9]:15008"),
  sides: {
    source: side("front-1", "shop", "spiffe://d/ns/shop/sa/front"),
    destination: side("cart-1", "carts", "spiffe://d/ns/c/sa/c"),
    service: "",
  },
  target: at("10.2.0.10:80"),
  service: "cart.carts.svc.cluster.local",
  age: 60_000,
});

function matches(query: string, flow: FlowParts = FLOW): boolean {
  const filter = parseFlowFilter(new URLSearchParams(query));
  assert.ok(typeof filter !== "string", `${query}: ${filter}`);
  return matchesFilter(filter, flow);
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

Deno.test("flow filter: what is not known, or not proven by a certificate, meets no condition on it", () => {
  assert.equal(matches("identity=spiffe://d/ns/c/sa/c", { ...FLOW, mutualTls: false }), false);
  const unrouted = { ...FLOW, sides: null, service: null, target: "cart.carts:80" };
  assert.equal(matches("", unrouted), true);
  for (const query of ["workload=front-1", "namespace=carts", "identity=spiffe://d/ns/c/sa/c", "service=cart"]) {
    assert.equal(matches(query, unrouted), false, query);
  }
  assert.equal(matches("address=cart.carts", unrouted), true);
});

Deno.test("flow filter: verdicts", () => {
  const ended = { ending: { by: "us", how: "policy", phase: "authorizing" }, error: "no" } as const;
  assert.equal(matches("verdict=denied", { ...FLOW, ...ended }), true);
  assert.equal(matches("verdict=failed", { ...FLOW, ...ended, ending: { ...ended.ending, how: "rst" } }), true);
  assert.equal(matches("verdict=ok", { ...FLOW, ...ended, error: null }), true);
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

import { strict as assert } from "node:assert";
import { parseSocketAddress } from "../net/address.ts";
import type { FlowParts } from "./flow.ts";
import { FlowJson } from "./flow_json.ts";
import { flowParts } from "./testkit/flows.ts";
import type { TrafficPeer } from "./traffic_peer.ts";

const TIME = "2026-11-30T12:00:00.123Z";
const AT = Date.parse(TIME);
const side = (workload: string | null, identity: string | null): TrafficPeer => {
  return { labels: "", locality: "", log: { workload, namespace: "shop", identity, cluster: "c" } };
};
const SIDES = { source: side("front-1", "spiffe://d/f"), destination: side(null, "spiffe://d/c"), service: "" };
const json = new FlowJson();
const textOf = (bytes: Uint8Array) => new TextDecoder("utf-8", { fatal: true }).decode(bytes);
const eventJson = (parts: FlowParts) => textOf(json.event({ kind: "ended", time: AT, parts }));
const event = (changes: Partial<FlowParts> = {}) => JSON.parse(eventJson(flowParts(changes)));

Deno.test("flow json: an event has all fields of the flow", () => {
  const parts = flowParts({ sides: SIDES, ending: { by: "client", how: "fin", phase: "open" }, flag: "-" });
  const { mutualTls: _, isHbone: __, sides: ___, traceparent: ____, continuesTrace: _____, ...fields } = parts;
  assert.deepEqual(JSON.parse(eventJson(parts)), {
    event: "ended",
    time: TIME,
    ...fields,
    verdict: "ok",
    source: { address: "10.1.0.5:41000", workload: "front-1", namespace: "shop", identity: "spiffe://d/f" },
    destination: { address: "10.1.0.9:15008", workload: null, namespace: "shop", identity: "spiffe://d/c" },
    target: "10.2.0.10:80",
    protocol: "HBONE",
  });
});

Deno.test("flow json: an open connection begins with its pod", () => {
  const open = textOf(json.open("shop/cart", flowParts()));
  assert.match(open, /^\{"pod":"shop\/cart","id":"/);
  const { event: _, time: __, ...flow } = event();
  assert.deepEqual(JSON.parse(open), { pod: "shop/cart", ...flow });
});

Deno.test("flow json: what is not known is null", () => {
  const { source, tls, carrier, service, decision, flag, error, ending, times, idle } = event({
    ...{ sides: null, tls: null, carrier: null, service: null, idle: null },
    times: {
      ...{ resolved: null, authorized: null, connected: null, handshaken: null, answered: null },
      ...{ clientByte: null, serverByte: null },
    },
  });
  assert.deepEqual(source, { address: "10.1.0.5:41000", workload: null, namespace: null, identity: null });
  assert.deepEqual([tls, carrier, service, decision, flag, error, ending, idle], Array(8).fill(null));
  assert.deepEqual(Object.values(times), Array(7).fill(null));
});

Deno.test("flow json: an identity is shown where a certificate has proven it", () => {
  for (const mutualTls of [true, false, true]) {
    const { source, destination } = event({ sides: SIDES, mutualTls });
    assert.equal(source.identity, mutualTls ? "spiffe://d/f" : null);
    assert.equal(destination.identity, mutualTls ? "spiffe://d/c" : null);
  }
});

Deno.test("flow json: texts of peers cannot break out of their value", () => {
  const bad = 'a"\\\n\u2028\ud800,"verdict":"denied';
  const sides = { ...SIDES, source: side(bad, bad) };
  const dryRuns = [{ policy: bad, id: "a.1", text: bad }];
  const read = event({ target: bad, service: bad, error: bad, sides, dryRuns });
  assert.deepEqual([read.target, read.service, read.error, read.verdict], [bad, bad, bad, "ok"]);
  assert.deepEqual([read.source.workload, read.source.identity, read.dryRuns], [bad, bad, dryRuns]);
  assert.equal(eventJson(flowParts({ error: bad })).includes("\n"), false);
});

Deno.test("flow json: addresses of IPv6, protocol, verdict and decision", () => {
  const read = event({
    source: parseSocketAddress("[fd00::1]:1")!,
    target: parseSocketAddress("[fd00::2]:2")!,
    isHbone: false,
    ending: { by: "us", how: "policy", phase: "authorizing" },
    error: "no",
    decision: "abc.1",
    flag: "DENY",
  });
  assert.deepEqual([read.source.address, read.target, read.protocol], ["[fd00::1]:1", "[fd00::2]:2", "TCP"]);
  assert.deepEqual([read.verdict, read.decision, read.flag], ["denied", "abc.1", "DENY"]);
});

Deno.test("flow json: the span of a connection that begins a trace, and of one that continues it", () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  assert.deepEqual(event({ traceparent }).span, { id: "b7ad6b7169203331", parent: null, sampled: true });
  const continued = event({ traceparent: traceparent.replace(/1$/, "2"), continuesTrace: true }).span;
  assert.deepEqual(continued, { id: null, parent: "b7ad6b7169203331", sampled: false });
  assert.equal("span" in event(), false);
});

import { strict as assert } from "node:assert";
import { parseSocketAddress } from "../net/address.ts";
import type { FlowParts } from "./flow.ts";
import { FlowRing } from "./flow_ring.ts";
import { flowParts } from "./testkit/flows.ts";

const at = (text: string) => parseSocketAddress(text)!;
const LONG = `${"a".repeat(80)}.example:443`;
const CASES: readonly Partial<FlowParts>[] = [
  {},
  { source: at("[2001:db8:1111:2222:3333:4444:5555:6666]:65535"), destination: at("[::1]:1"), target: at("[::]:0") },
  {
    target: "cart.shop.svc.cluster.local:80",
    isHbone: false,
    mutualTls: false,
    tls: null,
    carrier: null,
    service: null,
  },
  { target: LONG },
  { target: "ünïcode:1" },
  { target: "" },
  { target: "a".repeat(63) },
  { target: "a".repeat(64) },
  { mutualTls: false, isHbone: true },
  { mutualTls: true, isHbone: false, idle: null, bytesSent: 2 ** 50 },
  {
    times: {
      resolved: null,
      authorized: null,
      connected: null,
      handshaken: null,
      answered: null,
      clientByte: null,
      serverByte: null,
    },
  },
  { decision: "abcdefghijkl.1" },
  { ending: { by: "us", how: "policy", phase: "authorizing" }, flag: "DENY", error: "no" },
  { ending: { by: "client", how: "fin", phase: "open" }, flag: "-" },
  { dryRuns: [{ policy: "ns/p", text: "dry-run: deny policy match", id: "a.1" }], attempt: 3, direction: "inbound" },
];

Deno.test("flow ring: an ending is read as it was written, also over older ones", () => {
  const ring = new FlowRing(3);
  for (const first of CASES) {
    for (const [i, second] of CASES.entries()) {
      const events = [first, second].map((changes, time) =>
        ({
          kind: time === 0 ? "ended" : "refused",
          time: i + time,
          parts: flowParts({ ...changes, state: "ended" }),
        }) as const
      );
      for (const event of events) ring.push(event);
      assert.deepEqual([...ring.newestFirst()].slice(0, 2), events.toReversed());
    }
  }
  assert.equal([...ring.newestFirst()].length, 3);
});

Deno.test("flow ring: nothing before the first ending", () => {
  assert.deepEqual([...new FlowRing(10).newestFirst()], []);
});

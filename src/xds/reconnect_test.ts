import assert from "node:assert/strict";
import { Code, GrpcError } from "../grpc/status.ts";
import { FIRST_BACKOFF, planReconnect, type StreamEnd } from "./reconnect.ts";

const ADDRESS = "https://istiod:15012";
const call = (code: Code, message: string) => new GrpcError(code, message, "call");

type Expected = readonly [reason: string, level: string, delay: number, backoff: number, message: string];
const cases: readonly [id: string, end: StreamEnd, backoff: number, expected: Expected][] = [
  ["X57", { error: call(Code.Aborted, "x"), answered: true }, 10, [
    "Error",
    "warn",
    20,
    20,
    'XDS client error: gRPC error status: Aborted, message: "x", retrying in 10ms',
  ]],
  ["X68", { error: call(Code.Unavailable, "received prior goaway: max_age"), answered: true }, 640, [
    "Reconnect",
    "debug",
    10,
    10,
    'XDS client terminated: gRPC error status: Unavailable, message: "received prior goaway: max_age", ' +
    "retrying in 640ms",
  ]],
  ["X69", { error: call(Code.Unavailable, "x"), answered: true }, 10, [
    "Error",
    "warn",
    20,
    20,
    'XDS client error: gRPC error status: Unavailable, message: "x", retrying in 10ms',
  ]],
  ["X70", { error: call(Code.Unknown, "x"), answered: true }, 15_000, [
    "Reconnect",
    "debug",
    10,
    10,
    'XDS client terminated: gRPC error status: Unknown, message: "x", retrying in 15s',
  ]],
  ["X72", { error: null, answered: true }, 15_000, ["Complete", "warn", 10, 10, "XDS client complete"]],
  ["2.11 transport is closing", { error: call(Code.Unavailable, "transport is closing"), answered: true }, 20, [
    "Reconnect",
    "debug",
    10,
    10,
    'XDS client terminated: gRPC error status: Unavailable, message: "transport is closing", retrying in 20ms',
  ]],
  ["2.11 no answer", { error: call(Code.Unauthenticated, "authentication failure"), answered: false }, 10, [
    "ConnectionError",
    "warn",
    20,
    20,
    `XDS client connection error: gRPC connection error connecting to ${ADDRESS}: status: Unauthenticated, ` +
    'message: "authentication failure" (hint: check the control plane logs for more information), retrying in 20ms',
  ]],
  ["2.11 lost before an answer", { error: call(Code.Unknown, "x"), answered: false }, 640, [
    "ConnectionError",
    "warn",
    1280,
    1280,
    `XDS client connection error: gRPC connection error connecting to ${ADDRESS}: status: Unknown, message: "x", ` +
    "retrying in 1.28s",
  ]],
  [
    "2.11 DNS",
    {
      error: new GrpcError(Code.Unavailable, "m", "connect", "dns error: Temporary failure in name resolution"),
      answered: false,
    },
    10,
    [
      "ConnectionError",
      "warn",
      20,
      20,
      `XDS client connection error: gRPC connection error connecting to ${ADDRESS}: status: Unavailable, message: "m", ` +
      "source: dns error: Temporary failure in name resolution (hint: is the DNS server reachable?), retrying in 20ms",
    ],
  ],
  [
    "2.11 Q7 local",
    {
      error: new GrpcError(Code.Unavailable, "cannot read roots", "setup", "No such file"),
      answered: false,
    },
    10,
    ["Error", "warn", 20, 20, "XDS client error: cannot read roots: No such file, retrying in 20ms"],
  ],
];

for (const [id, end, backoff, expected] of cases) {
  Deno.test(`xds ${id}: ${expected[0]}, ${expected[2]} ms`, () => {
    const { reason, level, delay, backoff: next, message } = planReconnect(end, backoff, ADDRESS);
    assert.deepEqual([reason, level, delay, next, message], expected);
  });
}

/** Returns the delays after `count` equal ends in a row. */
function delays(end: StreamEnd, count: number): number[] {
  let backoff = FIRST_BACKOFF;
  return Array.from({ length: count }, () => {
    const plan = planReconnect(end, backoff, ADDRESS);
    backoff = plan.backoff;
    return plan.delay;
  });
}

Deno.test("xds X71: refused connections wait 20, 40, ... ms, 15 s at most", () => {
  const refused = { error: new GrpcError(Code.Unavailable, "refused", "connect"), answered: false };
  assert.deepEqual(delays(refused, 13), [20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240, 15000, 15000, 15000]);
});

Deno.test("xds 2.11: the delays grow for a server that ends every stream without a response", () => {
  assert.deepEqual(delays({ error: null, answered: false }, 5), [10, 20, 40, 80, 160]);
  assert.deepEqual(delays({ error: null, answered: true }, 3), [10, 10, 10]);
});

import { strict as assert } from "node:assert";
import fc from "fast-check";
import { formatAddress } from "../net/address.ts";
import { Socks5Negotiation, type Socks5Request, type Socks5Step } from "./socks5.ts";
import {
  badName,
  ioFailure,
  lookupFailed,
  noAddresses,
  noResolver,
  type Socks5Failure,
  socks5Reply,
  SUCCEEDED,
} from "./socks5_failure.ts";

const GREETING = [5, 1, 0];
const METHOD = [5, 0];
const TO_V4 = [5, 1, 0, 1, 10, 0, 0, 1, 0x1f, 0x90];
const WARN = "failed to negotiate socks connection: ";

/** Feeds pieces until a step is final, and collects the replies of all steps. */
function negotiate(...pieces: number[][]): { step: Socks5Step; replies: number[] } {
  const negotiation = new Socks5Negotiation();
  let step: Socks5Step = { at: "needs more", reply: new Uint8Array(0) };
  const replies: number[] = [];
  for (const piece of pieces) {
    step = negotiation.feed(Uint8Array.from(piece));
    replies.push(...step.reply);
    if (step.at !== "needs more") break;
  }
  return { step, replies };
}

function requested(...pieces: number[][]): { request: Socks5Request; rest: number[]; replies: number[] } {
  const { step, replies } = negotiate(...pieces);
  assert.equal(step.at, "requested");
  return { request: step.request, rest: [...step.rest], replies };
}

function failed(...pieces: number[][]): { failure: Socks5Failure; replies: number[] } {
  const { step, replies } = negotiate(...pieces);
  assert.equal(step.at, "failed");
  return { failure: step.failure, replies };
}

function domain(name: Uint8Array | string, port = 80): number[] {
  const bytes = typeof name === "string" ? new TextEncoder().encode(name) : name;
  return [5, 1, 0, 3, bytes.length, ...bytes, port >> 8, port & 0xff];
}

Deno.test("dataplane SO-01: greeting, then CONNECT to an IPv4 address", () => {
  const { request, rest, replies } = requested(GREETING, TO_V4);
  assert.deepEqual(request, { kind: "address", address: { ip: "10.0.0.1", port: 8080 } });
  assert.deepEqual(replies, METHOD);
  assert.deepEqual(rest, []);
  assert.deepEqual([...socks5Reply(SUCCEEDED)], [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
});

Deno.test("dataplane 6: the method is accepted before the request arrives; any list that contains 0x00 is accepted", () => {
  const { step, replies } = negotiate([5, 3, 2, 1, 0]);
  assert.equal(step.at, "needs more");
  assert.deepEqual(replies, METHOD);
});

Deno.test("dataplane 6: IPv6 addresses are canonical, mapped ones are IPv4, the reserved byte is any", () => {
  const v6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
  const mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1];
  for (const [bytes, text] of [[v6, "[2001:db8::1]:443"], [mapped, "10.0.0.1:443"]] as const) {
    const { request } = requested(GREETING, [5, 1, 0xee, 4, ...bytes, 1, 0xbb]);
    assert.ok(request.kind === "address");
    assert.equal(formatAddress(request.address), text);
  }
});

Deno.test("dataplane SO-12: an illegal destination is a request like any other here", () => {
  const { request } = requested(GREETING, [5, 1, 0, 1, 127, 0, 0, 1, 0x3a, 0xa0]);
  assert.deepEqual(request, { kind: "address", address: { ip: "127.0.0.1", port: 15008 } });
});

Deno.test("dataplane 6: domains are UTF-8 of up to 255 bytes", () => {
  for (const name of ["local-vip.default.svc.cluster.local", "", "ü.example", "\ufeffx", "x".repeat(255)]) {
    const { request } = requested(GREETING, domain(name, 8080));
    assert.deepEqual(request, { kind: "domain", host: name, port: 8080 });
  }
});

Deno.test("dataplane SO-03 to SO-07: refusals with code 7 and their log lines", () => {
  const cases: [what: string, pieces: number[][], replies: number[], text: string][] = [
    ["SO-03", [[4, 1]], [], "unsupported version 4"],
    ["SO-03, at the first byte", [[4]], [], "unsupported version 4"],
    ["SO-04", [[5, 0]], [], "methods cannot be zero"],
    ["SO-05", [[5, 1, 2]], [], "only unauthenticated is supported"],
    ["no 0x00 among many", [[5, 3, 1, 2, 255]], [], "only unauthenticated is supported"],
    ["request version", [GREETING, [4]], METHOD, "unsupported version 4"],
    ["SO-06 BIND", [GREETING, [5, 2, 0, 1]], METHOD, "unsupported command 2"],
    ["SO-06 UDP ASSOCIATE", [GREETING, [5, 3]], METHOD, "unsupported command 3"],
    ["SO-07", [GREETING, [5, 1, 0, 5]], METHOD, "unsupported address type 5"],
    ["ATYP 0", [GREETING, [5, 1, 0, 0]], METHOD, "unsupported address type 0"],
    [
      "not UTF-8",
      [GREETING, domain(Uint8Array.of(0x61, 0xff, 0xfe))],
      METHOD,
      "domain is not a valid utf8 string: [97, 255, 254]",
    ],
    ["all in one piece", [[...GREETING, 5, 2, 0, 1]], METHOD, "unsupported command 2"],
  ];
  for (const [what, pieces, replies, text] of cases) {
    const result = failed(...pieces);
    assert.deepEqual(result.replies, [...replies, 5, 7, 0, 1, 0, 0, 0, 0, 0, 0], what);
    assert.deepEqual(result.failure, { code: 7, message: `${WARN}CommandNotSupported: ${text}` }, what);
  }
});

Deno.test("dataplane SO-08, SO-09: names that cannot be resolved", () => {
  const cases: [Socks5Failure, number, string][] = [
    [noResolver(), 7, "CommandNotSupported: unsupported hostname lookup, requires DNS enabled"],
    [badName("label too long"), 4, "HostUnreachable: dns: label too long"],
    [lookupFailed("NXDOMAIN"), 4, "HostUnreachable: dns lookup: NXDOMAIN"],
    [noAddresses(), 4, "HostUnreachable: dns response had no valid IP addresses"],
  ];
  for (const [failure, code, text] of cases) assert.deepEqual(failure, { code, message: WARN + text });
});

Deno.test("dataplane SO-10: an end or an error before the request is complete has code 1", () => {
  const ended = new Socks5Negotiation();
  ended.feed(Uint8Array.of(5, 2, 0));
  const step = ended.interrupted();
  assert.equal(step.at, "failed");
  assert.deepEqual([...step.reply], [...socks5Reply(1)]);
  assert.deepEqual(step.failure, { code: 1, message: `${WARN}General: io error: early eof` });
  const reset = ioFailure("Connection reset by peer (os error 104)");
  assert.equal(reset.message, `${WARN}General: io error: Connection reset by peer (os error 104)`);
});

Deno.test("socks5: bytes behind the request are kept for the destination, as a copy", () => {
  const input = Uint8Array.from([...GREETING, ...TO_V4, 71, 69, 84]);
  const step = new Socks5Negotiation().feed(input);
  assert.equal(step.at, "requested");
  input.fill(0);
  assert.deepEqual([...step.rest], [71, 69, 84]);
});

Deno.test("socks5: the caller may overwrite bytes that were fed", () => {
  const negotiation = new Socks5Negotiation();
  const buffer = new Uint8Array(3);
  const steps: Socks5Step[] = [];
  for (let at = 0; at < GREETING.length + TO_V4.length; at += 3) {
    const piece = [...GREETING, ...TO_V4].slice(at, at + 3);
    buffer.set(piece);
    steps.push(negotiation.feed(buffer.subarray(0, piece.length)));
    buffer.fill(0xee);
  }
  const last = steps.at(-1);
  assert.ok(last?.at === "requested" && last.request.kind === "address");
  assert.equal(formatAddress(last.request.address), "10.0.0.1:8080");
});

Deno.test("socks5: a negotiation that is over accepts no bytes", () => {
  const negotiation = new Socks5Negotiation();
  negotiation.feed(Uint8Array.of(4));
  assert.throws(() => negotiation.feed(Uint8Array.of(5)), /is over/);
});

/** Partly valid, so that fuzzing reaches more than the first byte. */
const anyInput = fc.oneof(
  fc.uint8Array({ maxLength: 600 }),
  fc.tuple(
    fc.constantFrom(GREETING, [5, 2, 1, 0], [5, 1, 1]),
    fc.constantFrom([5, 1, 0, 1], [5, 1, 0, 3], [5, 1, 0, 4], [5, 2, 0, 1]),
    fc.uint8Array({ maxLength: 400 }),
  ).map(([greeting, request, rest]) => Uint8Array.of(...greeting, ...request, ...rest)),
);

Deno.test("socks5: any bytes have the same result in any pieces, never throw, and few of them are kept", () => {
  fc.assert(
    fc.property(anyInput, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (input, sizes) => {
      const whole = new Socks5Negotiation().feed(input);
      const pieces: number[][] = [];
      for (let at = 0, i = 0; at < input.length; i++) {
        const size = sizes[i % sizes.length]!;
        pieces.push([...input.subarray(at, at + size)]);
        at += size;
      }
      const { step, replies } = negotiate(...pieces);
      assert.deepEqual(replies, [...whole.reply]);
      assert.equal(step.at, whole.at);
      if (step.at === "failed" && whole.at === "failed") assert.deepEqual(step.failure, whole.failure);
      if (step.at === "requested" && whole.at === "requested") assert.deepEqual(step.request, whole.request);
      // The longest greeting and the longest request together.
      if (whole.at === "needs more") assert.ok(input.length < 257 + 262);
    }),
    { numRuns: 1000 },
  );
});

import { strict as assert } from "node:assert";
import { ErrorCode, type H2Failure } from "../h2/seam.ts";
import { describeReset } from "../hbone/failure.ts";
import type { Ending } from "../net/duplex.ts";
import { BROKEN_PIPE, RESET_BY_PEER } from "../net/testkit/memory_endings.ts";
import { socketFailure, streamFailure } from "./copy.ts";

const TIMED_OUT: Ending = {
  by: "system",
  how: "timeout",
  code: "ETIMEDOUT",
  message: "Connection timed out (os error 110)",
};

Deno.test("dataplane 4 9-10: resets of sockets are successes, other failures name the direction", () => {
  assert.equal(socketFailure(RESET_BY_PEER, true), null);
  assert.equal(socketFailure(BROKEN_PIPE, false), null);
  assert.equal(socketFailure(TIMED_OUT, true), "send: io error: Connection timed out (os error 110)");
  assert.equal(socketFailure(TIMED_OUT, false), "receive: io error: Connection timed out (os error 110)");
});

function outcome(by: H2Failure["by"], code: ErrorCode, weHadEnded: boolean, downstream: boolean): string | null {
  const failure = { by, code, reason: "why" };
  return streamFailure(failure, describeReset(failure), weHadEnded, downstream);
}

const { NO_ERROR, CANCEL, STREAM_CLOSED, CONNECT_ERROR, INTERNAL_ERROR } = ErrorCode;
const VECTORS: readonly [Parameters<typeof outcome>, string | null][] = [
  [["peer", NO_ERROR, false, true], null],
  [["peer", CONNECT_ERROR, false, true], null],
  [["peer", CANCEL, true, true], null],
  [["peer", CANCEL, false, true], "while closing connection: send: io error: broken pipe"],
  [["peer", CANCEL, false, false], "while closing connection: receive: io error: broken pipe"],
  [["peer", STREAM_CLOSED, false, true], "while closing connection: send: io error: broken pipe"],
  [["peer", INTERNAL_ERROR, false, true], "receive: io error: stream error received: why"],
  [["peer", INTERNAL_ERROR, true, false], "send: io error: stream error received: why"],
  [["us", INTERNAL_ERROR, false, false], "send: io error: stream error detected: why"],
  [
    ["transport", INTERNAL_ERROR, false, true],
    "while closing connection: send: io error: stream closed because of a broken pipe: why",
  ],
];

Deno.test("a PING that the peer has not answered is a failure, although the connection ends with NO_ERROR", () => {
  const failure: H2Failure = { by: "us", code: NO_ERROR, reason: "ping timeout after 35000 ms" };
  const text = describeReset(failure);
  assert.equal(
    streamFailure(failure, text, false, true),
    "receive: io error: stream error detected: ping timeout after 35000 ms",
  );
});

for (const [args, expected] of VECTORS) {
  const [by, code, ended, downstream] = args;
  const side = `${downstream ? "outbound" : "inbound"}${ended ? ", we had ended" : ""}`;
  Deno.test(`dataplane 2.6 CP-04 CP-05 ${ErrorCode[code]} by ${by}, ${side}: ${expected ?? "success"}`, () => {
    assert.equal(outcome(...args), expected);
  });
}

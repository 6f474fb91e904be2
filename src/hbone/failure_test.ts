import { strict as assert } from "node:assert";
import { ErrorCode } from "../h2/seam.ts";
import { DIAL_TIMEOUT } from "../net/endings.ts";
import { REFUSED, TLS_TIMEOUT } from "../net/testkit/memory_endings.ts";
import * as failure from "./failure.ts";

const REFUSED_STREAM = {
  by: "peer",
  code: ErrorCode.REFUSED_STREAM,
  reason: "refused stream before processing any application logic",
} as const;

const VECTORS: readonly [what: string, failure.TunnelFailure, flag: string, message: string][] = [
  [
    "no certificate",
    failure.identityFailure("workload is unknown: a.b (c)"),
    "IDENTITY_ERROR",
    "identity error: workload is unknown: a.b (c)",
  ],
  [
    "a key the engine refuses",
    failure.contextFailure("key values mismatch"),
    "TLS_FAILURE",
    "tls error: key values mismatch",
  ],
  ["refused", failure.dialFailure(REFUSED), "CONNECT", "io error: Connection refused (os error 111)"],
  [
    "no answer",
    failure.dialFailure(DIAL_TIMEOUT),
    "NETWORK_POLICY",
    "connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: deadline has elapsed",
  ],
  [
    "a handshake that fails is no TLS_FAILURE",
    failure.handshakeFailure(TLS_TIMEOUT),
    "CONNECT",
    `io error: ${TLS_TIMEOUT.message}`,
  ],
  [
    "preface",
    failure.prefaceFailure(REFUSED_STREAM),
    "H2_HANDSHAKE_FAILURE",
    `http2 handshake failed: ${REFUSED_STREAM.reason}`,
  ],
  [
    "request",
    failure.requestFailure(REFUSED_STREAM),
    "H2_HANDSHAKE_FAILURE",
    `h2 failed: stream error received: ${REFUSED_STREAM.reason}`,
  ],
  ["status", failure.statusFailure("401"), "CONNECT", "http status: 401 Unauthorized"],
  ["an unknown status", failure.statusFailure("599"), "CONNECT", "http status: 599 <unknown status code>"],
];

for (const [what, { flag: gotFlag, message: gotMessage }, flag, message] of VECTORS) {
  Deno.test(`dataplane 9 ${what}: ${flag}`, () => {
    assert.deepEqual([gotFlag, gotMessage], [flag, message]);
  });
}

import { strict as assert } from "node:assert";
import { ErrorCode } from "../h2/seam.ts";
import { DIAL_TIMEOUT, endingOf } from "../net/endings.ts";
import { REFUSED, TLS_TIMEOUT } from "../net/testkit/memory_endings.ts";
import { EHOSTUNREACH, EMFILE, ENOBUFS, EPERM } from "../os/errno.ts";
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

const ORIGINS: readonly [what: string, failure.TunnelFailure, failure.FailureOrigin][] = [
  ["refused", failure.dialFailure(REFUSED), "peer"],
  ["no answer", failure.dialFailure(DIAL_TIMEOUT), "peer"],
  ["no route", failure.dialFailure(endingOf(EHOSTUNREACH)), "peer"],
  ["no descriptors", failure.dialFailure(endingOf(EMFILE)), "own"],
  ["no memory for buffers", failure.dialFailure(endingOf(ENOBUFS)), "own"],
  ["a firewall of this machine", failure.dialFailure(endingOf(EPERM)), "refusal"],
  ["TLS", failure.handshakeFailure(TLS_TIMEOUT), "peer"],
  ["an error of ours in TLS", failure.handshakeFailure({ ...TLS_TIMEOUT, code: "TLS_SETTINGS" }), "own"],
  ["a revoked peer", failure.handshakeFailure({ ...TLS_TIMEOUT, message: failure.REVOKED }), "peer"],
  ["no certificate", failure.identityFailure("no"), "own"],
  ["a key the engine refuses", failure.contextFailure("no"), "own"],
  ["preface", failure.prefaceFailure(REFUSED_STREAM), "peer"],
  ["a withdrawn certificate of ours", failure.requestFailure({ ...REFUSED_STREAM, reason: failure.WITHDRAWN }), "own"],
  ["reset by the peer", failure.requestFailure(REFUSED_STREAM), "beyond"],
  ["a broken connection", failure.requestFailure({ ...REFUSED_STREAM, by: "transport" }), "peer"],
  ["no response", failure.responseTimeout(), "peer"],
  ["the destination is gone", failure.destinationLost(), "peer"],
  ["pool closed", failure.poolClosed(), "own"],
  ["400", failure.statusFailure("400"), "refusal"],
  ["401", failure.statusFailure("401"), "refusal"],
  ["403", failure.statusFailure("403"), "refusal"],
  ["502", failure.statusFailure("502"), "beyond"],
  ["503", failure.statusFailure("503"), "beyond"],
  ["504", failure.statusFailure("504"), "beyond"],
];

for (const [what, { origin }, expected] of ORIGINS) {
  Deno.test(`origin of a failure, ${what}: ${expected}`, () => assert.equal(origin, expected));
}

/** Double HBONE that fails: what the client sees, one line, and nothing is leaked (`docs/spec/dataplane.md` 1.6, 9). */
import { strict as assert } from "node:assert";
import { ErrorCode } from "../h2/seam.ts";
import { type RawPeer, rawServer } from "../hbone/testkit/peer.ts";
import type { TestSocket } from "../hbone/testkit/socket.ts";
import { at } from "../dataplane/testkit/testbed.ts";
import { HOSTNAME, SERVER, SERVER_ID, TwoNetworks } from "../dataplane/testkit/gateway.ts";

const BEHIND = at(`${SERVER}:15008`);

/** A gateway with a scripted server behind it. */
function scripted(prepare: (peer: RawPeer) => void): TwoNetworks {
  const bed = new TwoNetworks({ withoutServer: true });
  rawServer(bed.host(SERVER), BEHIND, bed.context(SERVER_ID), {}, prepare);
  return bed;
}

/** The server behind the gateway does not use HBONE. */
function behind(script: (socket: TestSocket) => void): TwoNetworks {
  const bed = new TwoNetworks({ withoutServer: true });
  bed.listen(`${SERVER}:15008`, script);
  return bed;
}

function start(bed: TwoNetworks): TestSocket {
  const client = bed.call();
  client.send("early");
  bed.run();
  return client;
}

function assertFailed(bed: TwoNetworks, client: TestSocket, flag: string, error: string | RegExp): void {
  assert.notEqual(client.fate, "open");
  assert.equal(client.count, 0);
  const line = bed.client.accessLine;
  const [, text] =
    /^error connection complete .* bytes_sent=0 bytes_recv=0 duration="\d+ms" error="(.*)"$/.exec(line) ??
      assert.fail(line);
  if (typeof error === "string") assert.equal(text, error);
  else assert.match(text!, error);
  assert.match(line, /dst\.workload="gateway"/, "of the other side nothing is known");
  assert.deepEqual(bed.client.traffic, {
    opened: 1,
    received: 0,
    sent: 0,
    closed: { [flag]: 1 },
    failed: { [flag]: 1 },
  });
  bed.assertClean();
}

function failsAfter(bed: TwoNetworks, client: TestSocket, ms: number): void {
  bed.advance(ms - 1);
  assert.equal(client.fate, "open");
  assert.deepEqual(bed.client.access, []);
  bed.advance(1);
  assert.notEqual(client.fate, "open");
}

Deno.test("observed O42: a server with another identity than the service's gets a TLS alert", () => {
  const expected = "spiffe://cluster.local/ns/default/sa/other";
  const bed = new TwoNetworks({ service: { subjectAltNames: [expected] } });
  const client = start(bed);
  const error = `io error: identity verification error: peer did not present the expected SAN (${expected}), ` +
    `got ${SERVER_ID} (inner tunnel)`;
  assert.match(bed.server!.accessLine, /^warn connection failed .* error="tls handshake error: /, "by an alert");
  assertFailed(bed, client, "CONNECT", error);
});

Deno.test("xds Q13: a service without SANs accepts no server, and the line says that istiod supplies them", () => {
  const bed = new TwoNetworks({ service: { subjectAltNames: [] } });
  const error = "io error: identity verification error: peer did not present the expected SAN (), " +
    `got ${SERVER_ID} (inner tunnel: ${HOSTNAME} (or its waypoint) has no subject alternative names, which istiod has to supply)`;
  assertFailed(bed, start(bed), "CONNECT", error);
});

Deno.test("double HBONE: the gateway's address refuses connections", () => {
  const bed = new TwoNetworks({ gatewayPort: 15099 });
  assertFailed(bed, start(bed), "CONNECT", "io error: Connection refused (os error 111)");
});

for (const [status, words] of [["401", "Unauthorized"], ["503", "Service Unavailable"]] as const) {
  Deno.test(`double HBONE: the gateway answers ${status}`, () => {
    const bed = new TwoNetworks();
    bed.gateway.status = status;
    assertFailed(bed, start(bed), "CONNECT", `http status: ${status} ${words}`);
  });

  Deno.test(`observed O43: the server behind the gateway answers ${status}, and the line names the inner tunnel`, () => {
    const bed = scripted((peer) => {
      peer.answer = ({ stream }) => {
        stream.respond([[":status", status]], true);
        stream.reset(ErrorCode.NO_ERROR);
      };
    });
    assertFailed(bed, start(bed), "CONNECT", `http status: ${status} ${words} (inner tunnel)`);
  });
}

Deno.test("double HBONE: the server behind the gateway refuses the stream", () => {
  const bed = scripted((peer) => peer.answer = ({ stream }) => stream.reset(ErrorCode.REFUSED_STREAM));
  const error =
    "h2 failed: stream error received: refused stream before processing any application logic (inner tunnel)";
  assertFailed(bed, start(bed), "H2_HANDSHAKE_FAILURE", error);
});

Deno.test("double HBONE: the server behind the gateway ends before it answers", () => {
  const bed = scripted((peer) => peer.answer = () => peer.close());
  assertFailed(bed, start(bed), "H2_HANDSHAKE_FAILURE", /^h2 failed: .* \(inner tunnel\)$/);
});

Deno.test("double HBONE: the server behind the gateway does not answer for 10 s", () => {
  const bed = scripted((peer) => peer.answer = () => {});
  const client = start(bed);
  failsAfter(bed, client, 10_000);
  assertFailed(bed, client, "CONNECT", "io error: the peer did not answer the CONNECT in time (inner tunnel)");
});

Deno.test("double HBONE: the inner handshake is not answered for 10 s", () => {
  const bed = behind(() => {});
  const client = start(bed);
  failsAfter(bed, client, 10_000);
  assertFailed(bed, client, "CONNECT", /^io error: .*time.* \(inner tunnel\)$/);
});

Deno.test("double HBONE: the server behind the gateway does not use TLS", () => {
  const bed = behind((socket) => void socket.send("HTTP/1.1 400 Bad Request\r\n\r\n"));
  assertFailed(bed, start(bed), "CONNECT", /^io error: .* \(inner tunnel\)$/);
});

Deno.test("double HBONE: the server behind the gateway closes during the inner handshake", () => {
  const bed = behind((socket) => socket.close());
  assertFailed(bed, start(bed), "CONNECT", /^io error: .* \(inner tunnel\)$/);
});

Deno.test("double HBONE: the server behind the gateway resets during the inner handshake", () => {
  const bed = behind((socket) => socket.reset());
  const error = "io error: the outer tunnel was reset: " +
    "connection established in response to a CONNECT request was reset or abnormally closed (inner tunnel)";
  assertFailed(bed, start(bed), "CONNECT", error);
});

Deno.test("double HBONE: the gateway's process ends during the inner handshake", () => {
  const bed = behind(() => {});
  const client = start(bed);
  bed.gateway.die();
  bed.run();
  assertFailed(
    bed,
    client,
    "CONNECT",
    "io error: the outer tunnel broke: the peer closed the connection (inner tunnel)",
  );
});

Deno.test("double HBONE: no certificate of our own", () => {
  const bed = new TwoNetworks();
  bed.client.certificates = "refuse";
  assertFailed(bed, start(bed), "IDENTITY_ERROR", "identity error: the CA is not there");
});

for (
  const [stage, build] of [
    ["the outer CONNECT", () => {
      const bed = new TwoNetworks({ withoutServer: true });
      bed.memory.blackhole(BEHIND);
      return bed;
    }],
    ["the inner handshake", () => behind(() => {})],
    ["the inner CONNECT", () => scripted((peer) => peer.answer = () => {})],
  ] as const
) {
  Deno.test(`double HBONE: the client resets during ${stage}`, () => {
    const bed = build();
    const client = bed.call();
    bed.run();
    assert.equal(bed.gateway.requests.length, 1);
    client.reset();
    bed.run();
    assert.match(bed.client.accessLine, /^info connection complete .* bytes_sent=0 bytes_recv=0 duration="\d+ms"$/);
    assert.deepEqual(bed.client.traffic, { opened: 1, received: 0, sent: 0, closed: { "-": 1 }, failed: {} });
    bed.assertClean();
  });

  Deno.test(`dataplane 5.4: the removal of the pod cuts double HBONE during ${stage}`, () => {
    const bed = build();
    const client = start(bed);
    bed.client.stop();
    bed.run();
    assert.notEqual(client.fate, "open");
    assert.match(bed.client.accessLine, /^error .* error="connection closed due to connection drain"$/);
    assert.deepEqual(bed.client.traffic, { opened: 1, received: 0, sent: 0, closed: { "-": 1 }, failed: {} });
    bed.advance(1000);
    assert.equal(bed.client.drained, true);
    bed.assertClean();
  });
}

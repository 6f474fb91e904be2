/** How double HBONE ends, whichever side ends it (`docs/spec/dataplane.md` 2.2, 2.6, 4, 5.4). */
import { strict as assert } from "node:assert";
import { pattern } from "../h2/testkit/pair.ts";
import type { TestSocket } from "../hbone/testkit/socket.ts";
import { assertSameBytes } from "../net/testkit/contract_kit.ts";
import { TwoNetworks } from "../dataplane/testkit/gateway.ts";

const REVOKED = "connection closed: peer certificate revoked by CRL";

function assertSuccess(bed: TwoNetworks, up: number, down: number): void {
  for (const node of bed.nodes) {
    assert.match(node.accessLine, /^info connection complete .* duration="\d+ms"$/);
    assert.deepEqual(node.traffic, { opened: 1, received: up, sent: down, closed: { "-": 1 }, failed: {} });
  }
  bed.assertClean();
}

Deno.test("dataplane CP-06 double HBONE: the client ends first, the server continues", () => {
  const bed = new TwoNetworks({ app: () => {} });
  const [client, app] = bed.through();
  client.send("request").end();
  bed.run();
  assert.deepEqual([app.text, app.fate, client.fate], ["request", "fin", "open"]);
  app.send("late answer");
  bed.advance(60_000);
  assert.equal(client.text, "late answer");
  assert.deepEqual(bed.client.access, [], "recorded when both have ended");
  app.end();
  bed.run();
  assert.equal(client.fate, "fin");
  assertSuccess(bed, 7, 11);
});

Deno.test("dataplane 4: double HBONE: the server ends first, the client continues", () => {
  const bed = new TwoNetworks({ app: () => {} });
  const [client, app] = bed.through();
  app.send("greeting").end();
  bed.run();
  assert.deepEqual([client.text, client.fate], ["greeting", "fin"]);
  client.send("all the rest");
  bed.advance(60_000);
  assert.equal(app.text, "all the rest");
  client.end();
  bed.run();
  assert.equal(app.fate, "fin");
  assertSuccess(bed, 12, 8);
});

Deno.test("dataplane CP-03 double HBONE: the server's RST reaches the client as RST; the record is a success", () => {
  const bed = new TwoNetworks({ app: () => {} });
  const [client, app] = bed.through();
  client.send("request");
  bed.run();
  app.reset();
  bed.run();
  assert.equal(client.fate, "reset");
  assertSuccess(bed, 7, 0);
});

Deno.test("dataplane CP-03 double HBONE: the client's RST reaches the server as RST; the record is a success", () => {
  const bed = new TwoNetworks({ app: () => {} });
  const [client, app] = bed.through();
  app.send("answer");
  bed.run();
  client.reset();
  bed.run();
  assert.equal(app.fate, "reset");
  assertSuccess(bed, 0, 6);
});

/** A call that has received one answer and is cut off during the next. */
function cutOff(cut: (bed: TwoNetworks) => void): { bed: TwoNetworks; client: TestSocket; error: string } {
  const bed = new TwoNetworks();
  bed.client.plane.setRevocationLists([]);
  const [client] = bed.through();
  client.send("hello");
  bed.run();
  cut(bed);
  bed.run();
  assert.equal(client.text, "hello");
  assert.equal(client.fate, "reset", "cut off is not ended");
  const [, error] = / bytes_sent=5 bytes_recv=5 .* error="(.*)"$/.exec(bed.client.accessLine) ??
    assert.fail(bed.client.accessLine);
  assert.match(bed.client.accessLine, /dst\.workload="echo-app"/);
  return { bed, client, error: error! };
}

Deno.test("double HBONE: the gateway's process ends", () => {
  const { bed, error } = cutOff(({ gateway }) => gateway.die());
  const text = "the outer tunnel broke: the peer closed the connection";
  assert.equal(error, `while closing connection: send: io error: stream closed because of a broken pipe: ${text}`);
  assert.deepEqual(bed.client.traffic.failed, { CONNECT: 1 });
  bed.assertClean();
});

Deno.test("double HBONE: the gateway resets the outer stream", () => {
  const { bed, error } = cutOff(({ gateway }) => gateway.cut());
  const text = "the outer tunnel was reset: " +
    "connection established in response to a CONNECT request was reset or abnormally closed";
  assert.equal(error, `while closing connection: send: io error: stream closed because of a broken pipe: ${text}`);
  bed.assertClean();
});

Deno.test("double HBONE: the pod behind the gateway is removed", () => {
  const { bed, error } = cutOff(({ server }) => server!.stop());
  assert.match(error, /^while closing connection: send: io error: /);
  bed.assertClean();
});

for (const whose of ["gateway", "server"] as const) {
  Deno.test(`dataplane 2.2: the certificate of the ${whose} is revoked while double HBONE uses it`, () => {
    const { bed, error } = cutOff((bed) => {
      const { client, server, gateway } = bed;
      client.plane.setRevocationLists([bed.issuer.revoke(whose === "server" ? server!.leaf : gateway.leaf)]);
    });
    assert.equal(error, REVOKED);
    assert.deepEqual(bed.client.traffic.failed, { CERT_REVOKED: 1 });
    bed.assertClean();
  });
}

Deno.test("dataplane 5.4: double HBONE continues while the client's pod drains, until it ends", () => {
  const bed = new TwoNetworks();
  const [client] = bed.through();
  bed.client.drain(60_000);
  bed.advance(30_000);
  client.send("still here").end();
  bed.run();
  assert.deepEqual([client.text, client.fate, bed.client.drained], ["still here", "fin", true]);
  assert.deepEqual(bed.client.held, { streams: 0, dials: 0, timers: 0, listeners: 0 });
});

Deno.test("dataplane 5.4: double HBONE continues while the server's pod drains, until it ends", () => {
  const bed = new TwoNetworks();
  const [client] = bed.through();
  bed.server!.drain(60_000);
  bed.advance(30_000);
  client.send("still here").end();
  bed.run();
  assert.deepEqual([client.text, client.fate], ["still here", "fin"]);
  bed.advance(100);
  assert.equal(bed.server!.drained, true);
  bed.assertClean();
});

Deno.test("dataplane 5.4: double HBONE is cut at the deadline of a drain", () => {
  const bed = new TwoNetworks();
  const [client] = bed.through();
  bed.client.drain(1000);
  bed.advance(1000);
  assert.notEqual(client.fate, "open");
  assert.match(bed.client.accessLine, /^error .* error="connection closed due to connection drain"$/);
  bed.advance(1000);
  assert.equal(bed.client.drained, true);
  assert.deepEqual(bed.client.held, { streams: 0, dials: 0, timers: 0, listeners: 0 });
});

/** More than the capacity of all windows and buffers on the path. */
const LOTS = 40_000_000;
/** Two windows of 4 MiB, gather buffers and sockets. */
const ON_THE_WAY = 14_000_000;

Deno.test("double HBONE: a client that does not read stops its server and no other connection", () => {
  const payload = pattern(LOTS);
  const bed = new TwoNetworks({ app: (app) => void app.send(payload).end() });
  const [client, app] = bed.through(false);
  bed.advance(60_000);
  assert.ok(LOTS - app.unsent < ON_THE_WAY, `${LOTS - app.unsent} bytes were taken from the server`);
  const [other] = bed.through();
  bed.run();
  assertSameBytes(other.bytes, payload);
  client.goOnReading();
  bed.run();
  assertSameBytes(client.bytes, payload);
  client.end();
  other.end();
  bed.run();
  bed.assertClean();
});

Deno.test("double HBONE: a server that does not read stops its client and no other connection", () => {
  const payload = pattern(LOTS);
  let first = true;
  const bed = new TwoNetworks({
    app: (app) => {
      if (first) app.stopReading();
      else app.onEnded = () => void app.send("all of it").end();
      first = false;
    },
  });
  const [client, app] = bed.through();
  client.send(payload).end();
  bed.advance(60_000);
  assert.ok(LOTS - client.unsent < ON_THE_WAY, `${LOTS - client.unsent} bytes were taken from the client`);
  const [other] = bed.through();
  other.send(payload).end();
  bed.run();
  assert.equal(other.text, "all of it");
  app.goOnReading();
  bed.run();
  assertSameBytes(app.bytes, payload);
  app.end();
  bed.run();
  bed.assertClean();
});

Deno.test("double HBONE: a client that does not read is cut, and all its bytes are freed", () => {
  const bed = new TwoNetworks({ app: (app) => void app.send(pattern(LOTS)).end() });
  const [client] = bed.through(false);
  bed.advance(1000);
  client.reset();
  bed.run();
  bed.assertClean();
});

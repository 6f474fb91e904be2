/** Certificates that are revoked, before and while they are used (`docs/spec/dataplane.md` 2.2, 10.10). */
import { strict as assert } from "node:assert";
import type { TestSocket } from "../hbone/testkit/socket.ts";
import { at, echo, Testbed, type TestNode } from "../dataplane/testkit/testbed.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2", APP = `${SERVER}:8080`;
const REVOKED = "connection closed: peer certificate revoked by CRL";

class Bed extends Testbed {
  readonly client = this.node("client", CLIENT);
  readonly server = this.node("server", SERVER);

  constructor() {
    super();
    this.client.plane.setRevocationLists([]);
    this.server.plane.setRevocationLists([]);
    this.listen(APP, echo);
  }

  /** `node` gets a list that revokes the certificate of `whose`. */
  revoke(whose: TestNode, node: TestNode): void {
    node.plane.setRevocationLists([this.issuer.revoke(whose.leaf)]);
    this.run();
  }

  talk(): TestSocket {
    const app = this.connect(CLIENT, APP).send("hello");
    this.run();
    return app;
  }
}

function counted({ metrics }: TestNode): [string, number][] {
  return metrics.snapshot().cells.filter(({ family }) => family === "istio_crl_policy_rejections")
    .map(({ labels, value }) => [labels, value]);
}

for (const [side, reporter] of [["client", "destination"], ["server", "source"]] as const) {
  const vector = side === "client" ? "identity L9, TL-05, TL-07" : "identity L7, TL-02, TL-06, TL-08";

  Deno.test(`dataplane ${vector}: the ${side}'s certificate is revoked while it is used, and once more`, () => {
    const bed = new Bed();
    const [revoked, judge] = side === "client" ? [bed.client, bed.server] : [bed.server, bed.client];
    const [first, second] = [bed.talk(), bed.talk()];
    assert.deepEqual([first.text, second.text], ["hello", "hello"]);
    bed.revoke(revoked, judge);
    assert.deepEqual([first.fate, second.fate], ["reset", "reset"]);
    assert.deepEqual(counted(judge), [[`reporter="${reporter}"`, 1]], "once for a connection of two streams");
    assert.deepEqual(judge.access.map((line) => / error="(.*?)"/.exec(line)?.[1]), [REVOKED, REVOKED]);
    assert.deepEqual(judge.traffic.closed, { CERT_REVOKED: 2 });
    assert.deepEqual(judge.traffic.failed, { CERT_REVOKED: 2 });
    // A new connection fails earlier.
    assert.equal(bed.talk().text, "");
    assert.deepEqual(counted(judge), [[`reporter="${reporter}"`, 2]]);
    assert.match(judge.access.at(-1)!, /certificate \d+ was revoked by its issuer \(O=Root\)/);
    bed.assertClean();
  });
}

Deno.test("dataplane 2.2: a connection without streams is closed too", () => {
  const bed = new Bed();
  bed.talk().end();
  bed.run();
  bed.revoke(bed.server, bed.client);
  assert.deepEqual(counted(bed.client), [['reporter="source"', 1]]);
  bed.assertClean();
});

Deno.test("dataplane 2.2: a renewed certificate is not revoked", () => {
  const bed = new Bed();
  bed.talk().end();
  bed.revoke(bed.server, bed.client);
  bed.server.issueCertificate();
  assert.equal(bed.talk().text, "hello");
  assert.deepEqual(counted(bed.client), [['reporter="source"', 1]]);
});

Deno.test("dataplane TL-09: lists that do not name the peer have no effect", () => {
  const bed = new Bed();
  const app = bed.talk();
  bed.client.plane.setRevocationLists([bed.issuer.revoke(bed.client.leaf)]);
  bed.run();
  app.send(" again");
  bed.run();
  assert.equal(app.text, "hello again");
  assert.deepEqual([counted(bed.client), counted(bed.server)], [[], []]);
});

Deno.test("dataplane 2.2: a stream whose application has not answered yet is ended too", () => {
  const bed = new Bed();
  bed.memory.blackhole(at(`${SERVER}:9`));
  const app = bed.connect(CLIENT, `${SERVER}:9`).send("hello");
  bed.run();
  bed.revoke(bed.client, bed.server);
  assert.equal(app.fate, "reset");
  assert.match(bed.server.accessLine, new RegExp(REVOKED));
  assert.deepEqual(bed.server.traffic.failed, { CERT_REVOKED: 1 });
  bed.assertClean();
});

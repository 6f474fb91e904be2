/** The spans of operational lines, which name their connection (`docs/spec/dataplane.md` 1.1 rule 8, 2.4). */
import { strict as assert } from "node:assert";
import { at, echo, Testbed, type TestNode } from "../dataplane/testkit/testbed.ts";
import { rawClient } from "../hbone/testkit/peer.ts";
import type { HeaderList } from "../h2/seam.ts";
import type { MeshChange } from "../mesh/model/changes.ts";
import { EMPTY_MATCH, keyOfPolicy, type Policy } from "../mesh/model/model.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2";
const PEER = "spiffe://cluster.local/ns/default/sa/peer";
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const DEBUG = { logFilter: "debug" };

function denyPort(port: number): MeshChange {
  const rules = [[[{ ...EMPTY_MATCH, destinationPorts: [port] }]]];
  const policy: Policy = {
    name: "deny",
    namespace: "default",
    scope: "Namespace",
    action: "Deny",
    dryRun: false,
    rules,
  };
  return { kind: "policy", key: keyOfPolicy(policy), policy };
}

/** The operational lines that contain `text`, with ports of clients removed. */
function linesWith(node: TestNode, text: string): string[] {
  const lines = node.lines.filter((line) => line.includes(text) && !/^\w+ access /.test(line));
  return lines.map((line) => line.replace(/(10\.0\.0\.1):\d+/g, "$1:PORT"));
}

function server(): { bed: Testbed; node: TestNode; request: (traceparent?: string) => void; end: () => void } {
  const bed = new Testbed();
  const node = bed.node("server", SERVER, DEBUG);
  bed.listen(`${SERVER}:8080`, echo);
  const peer = rawClient(bed.host(CLIENT), at(`${SERVER}:15008`), bed.context(PEER));
  return {
    bed,
    node,
    request(traceparent) {
      const headers: HeaderList = [[":method", "CONNECT"], [":authority", `${SERVER}:8080`]];
      peer.open(traceparent === undefined ? headers : [...headers, ["traceparent", traceparent]]);
      bed.run();
    },
    end() {
      peer.close();
      bed.assertClean();
    },
  };
}

Deno.test("dataplane HD-17: the decision about a peer's stream names the trace id of its traceparent, and the peer", () => {
  const { node, request, end } = server();
  request(`00-${TRACE}-b7ad6b7169203331-01`);
  assert.deepEqual(linesWith(node, "no allow policies, allow"), [
    `debug state:inbound{id=${TRACE} peer=10.0.0.1:PORT} no allow policies, allow`,
  ]);
  end();
});

Deno.test("dataplane HD-18: a traceparent of 54 bytes, and none: a new id for each stream", () => {
  const { node, request, end } = server();
  request(`00-${TRACE}-b7ad6b7169203331-0`);
  request();
  const ids = linesWith(node, "no allow policies, allow").map((line) => /\{id=([0-9a-f]{32}) /.exec(line)![1]);
  assert.equal(new Set(ids).size, 2);
  assert.equal(ids.includes(TRACE), false);
  end();
});

Deno.test("config-admin 6.6: a plain connection that is refused is named, with its client", () => {
  const bed = new Testbed();
  const node = bed.node("server", SERVER, DEBUG);
  bed.apply(denyPort(8080));
  bed.listen(`${SERVER}:8080`, echo);
  bed.connect(CLIENT, `${SERVER}:8080`);
  const [line] = linesWith(node, "deny policy match");
  assert.match(
    line!,
    /^debug state:inbound_passthrough\{id=[0-9a-f]{32} peer=10\.0\.0\.1:PORT\} deny policy match policy="default\/deny"$/,
  );
  bed.assertClean();
});

Deno.test("config-admin 6.7: the line about a call that policies end names its policy and the connection of both sides", () => {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT, DEBUG), server = bed.node("server", SERVER);
  bed.listen(`${SERVER}:8080`, echo);
  bed.connect(CLIENT, `${SERVER}:8080`);
  bed.run();
  server.plane.applyMesh([denyPort(8080)]);
  bed.run();
  const [line] = linesWith(server, "connection_manager");
  assert.match(line!, /policy update decision="deny policy match" policy="default\/deny"$/);
  const id = /inbound\{id=([0-9a-f]{32}) /.exec(line!)![1]!;
  assert.notDeepEqual(linesWith(client, `outbound{id=${id}}`), []);
  bed.assertClean();
});

/** Each way in which a connection ends, and what the extended access line says of it (`docs/spec/dataplane.md` 10.11). */
import { strict as assert } from "node:assert";
import { at, type NodeOptions, Testbed, type TestNode, workloadAt } from "../dataplane/testkit/testbed.ts";
import type { StreamLog } from "../h2/testkit/pair.ts";
import { goAway } from "../h2/testkit/frames.ts";
import { ErrorCode } from "../h2/seam.ts";
import { rawClient, type RawPeer, rawServer } from "../hbone/testkit/peer.ts";
import type { TestSocket } from "../hbone/testkit/socket.ts";
import type { MeshChange } from "../mesh/model/changes.ts";
import { EMPTY_MATCH, keyOfPolicy, type Policy } from "../mesh/model/model.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2", APP = `${SERVER}:8080`, HBONE = `${SERVER}:15008`;
const SERVER_ID = "spiffe://cluster.local/ns/default/sa/server", PEER_ID = "spiffe://cluster.local/ns/default/sa/peer";
const PLAIN = "192.0.2.1:80";
const EXTENDED: NodeOptions = { env: { ACCESS_LOG_FIELDS: "extended", HALF_CLOSED_TIMEOUT: "60s" } };

/** Scripted peers do not notice that we are silent. */
const NO_PINGS = { pingInterval: 1e9 };

/** A node of a client, and one of a server where the vector needs two proxies. */
class Bed extends Testbed {
  readonly client: TestNode;
  readonly server: TestNode | null;
  readonly apps: TestSocket[];

  constructor(server: "node" | "workload" = "node") {
    super();
    this.client = this.node("client", CLIENT, EXTENDED);
    this.server = server === "node" ? this.node("server", SERVER, EXTENDED) : null;
    if (server === "workload") {
      this.host(SERVER);
      this.apply(workloadAt("server", SERVER, { protocol: "HBONE" }));
    }
    this.apps = server === "node" ? this.listen(APP) : [];
  }

  call(to = APP): TestSocket {
    const socket = this.connect(CLIENT, to);
    this.run();
    return socket;
  }

  /** A server whose HTTP/2 is scripted. */
  serve(prepare: (peer: RawPeer) => void = () => {}): RawPeer[] {
    return rawServer(this.host(SERVER), at(HBONE), this.context(SERVER_ID), NO_PINGS, prepare).peers;
  }

  /** A caller whose HTTP/2 is scripted. */
  request(authority: string): StreamLog {
    const peer = rawClient(this.host(CLIENT), at(HBONE), this.context(PEER_ID));
    return peer.open([[":method", "CONNECT"], [":authority", authority]]);
  }
}

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

/** `by how phase` of each access line. */
function endings(node: TestNode | null): string[] {
  return (node?.access ?? []).map((line) => {
    const [, by, how, phase] = /ended\.by="(.*?)" ended\.how="(.*?)" ended\.phase="(.*?)"/.exec(line) ??
      assert.fail(line);
    return `${by}, ${how}, ${phase}`;
  });
}

/** Registers a vector. The endings are those that the client's and the server's proxy log; null: there is no such line. */
function vector(id: string, what: string, [client, server]: (string | null)[], end: () => Bed): void {
  Deno.test(`dataplane ${id}: ${what}`, () => {
    const bed = end();
    bed.run();
    assert.deepEqual(endings(bed.client), client === null ? [] : [client], "the client's proxy");
    assert.deepEqual(endings(bed.server), server === null ? [] : [server], "the server's proxy");
  });
}

vector("EN-01", "the client ends, then the server", ["client, fin, half-closed", "client, fin, half-closed"], () => {
  const bed = new Bed(), client = bed.call();
  client.end();
  bed.run();
  bed.apps[0]!.end();
  return bed;
});

vector("EN-02", "the server ends, then the client", ["server, fin, half-closed", "server, fin, half-closed"], () => {
  const bed = new Bed(), client = bed.call();
  bed.apps[0]!.end();
  bed.run();
  client.end();
  return bed;
});

vector("EN-03", "the client resets", ["client, rst, open", "client, rst, open"], () => {
  const bed = new Bed();
  bed.call().reset();
  return bed;
});

vector("EN-04", "the server resets", ["server, rst, open", "server, rst, open"], () => {
  const bed = new Bed();
  bed.call();
  bed.apps[0]!.reset();
  return bed;
});

vector("EN-05", "the client resets after the server has ended", [
  "client, rst, half-closed",
  "client, rst, half-closed",
], () => {
  const bed = new Bed(), client = bed.call();
  bed.apps[0]!.end();
  bed.run();
  client.reset();
  return bed;
});

vector("EN-07", "the connection to the peer breaks", ["peer, error, open", null], () => {
  const bed = new Bed("workload"), peers = bed.serve();
  bed.call();
  peers[0]!.close(true);
  return bed;
});

vector("EN-08", "the peer resets the stream", ["peer, rst, open", null], () => {
  const bed = new Bed("workload"), peers = bed.serve();
  bed.call();
  peers[0]!.streams[0]!.stream.reset(ErrorCode.INTERNAL_ERROR);
  return bed;
});

vector("EN-09", "the peer's GOAWAY leaves the stream out", ["peer, goaway, open", null], () => {
  const bed = new Bed("workload"), peers = bed.serve();
  bed.call();
  peers[0]!.duplex.write(goAway(0));
  return bed;
});

vector("EN-10", "the peer no longer answers a PING", ["us, timeout, open", null], () => {
  const bed = new Bed("workload"), peers = bed.serve();
  bed.call();
  peers[0]!.duplex.start({ onReadable() {}, onWritable() {}, onFailure() {} });
  bed.advance(60_000);
  return bed;
});

vector("EN-11", "a policy does not allow the call", ["peer, status, requesting", "us, policy, authorizing"], () => {
  const bed = new Bed();
  bed.apply(denyPort(8080));
  bed.call();
  return bed;
});

vector("EN-12", "a policy no longer allows the call", ["server, rst, open", "us, policy, open"], () => {
  const bed = new Bed();
  bed.call();
  bed.server!.plane.applyMesh([denyPort(8080)]);
  return bed;
});

vector("EN-13", "a policy does not allow a plain connection", [null, "us, policy, authorizing"], () => {
  const bed = new Bed();
  bed.apply(denyPort(8080));
  bed.connect("10.0.0.3", APP);
  return bed;
});

vector("EN-14", "the peer's certificate is revoked", ["us, revocation, open", "peer, error, open"], () => {
  const bed = new Bed();
  bed.client.plane.setRevocationLists([]);
  bed.call();
  bed.client.plane.setRevocationLists([bed.issuer.revoke(bed.server!.leaf)]);
  return bed;
});

vector("EN-15", "the client's proxy drains, and the deadline passes", ["us, drain, open", "client, rst, open"], () => {
  const bed = new Bed();
  bed.call();
  bed.client.drain(100);
  bed.advance(100);
  return bed;
});

vector("EN-16", "one side has ended, and no bytes are moved for HALF_CLOSED_TIMEOUT", [
  "us, half-closed timeout, half-closed",
  null,
], () => {
  const bed = new Bed("workload");
  bed.listen(PLAIN);
  bed.call(PLAIN).end();
  bed.advance(120_000);
  return bed;
});

vector("EN-17", "a call over loopback to the proxy itself", ["us, no route, accepted", null], () => {
  const bed = new Bed("workload");
  bed.connect(CLIENT, "127.0.0.1:15001");
  return bed;
});

vector("EN-18", "the mesh does not have the pod", ["us, no route, resolving", null], () => {
  const bed = new Bed();
  bed.apply({ kind: "remove-address", name: "Kubernetes//Pod/default/client" });
  bed.call();
  bed.advance(5000);
  return bed;
});

vector("EN-19", "nobody listens at the destination", ["server, refused, connecting", null], () => {
  const bed = new Bed("workload");
  bed.call(PLAIN);
  return bed;
});

vector("EN-20", "the destination does not answer", ["us, timeout, connecting", null], () => {
  const bed = new Bed("workload");
  bed.memory.blackhole(at(PLAIN));
  bed.call(PLAIN);
  bed.advance(30_000);
  return bed;
});

vector(
  "EN-21",
  "the pod's application does not listen",
  ["peer, status, requesting", "server, refused, connecting"],
  () => {
    const bed = new Bed();
    bed.call(`${SERVER}:9`);
    return bed;
  },
);

vector("EN-22", "the client resets while the destination is dialled", ["client, rst, connecting", null], () => {
  const bed = new Bed("workload");
  bed.memory.blackhole(at(PLAIN));
  bed.call(PLAIN).reset();
  return bed;
});

vector("EN-23", "nobody listens at the peer's port", ["peer, refused, connecting", null], () => {
  const bed = new Bed("workload");
  bed.call();
  return bed;
});

vector("EN-24", "the peer does not answer", ["us, timeout, connecting", null], () => {
  const bed = new Bed("workload");
  bed.memory.blackhole(at(HBONE));
  bed.call();
  bed.advance(30_000);
  return bed;
});

vector("EN-25", "there is no certificate", ["us, identity, connecting", null], () => {
  const bed = new Bed("workload");
  bed.client.certificates = "refuse";
  bed.call();
  return bed;
});

vector("EN-26", "the peer proves another identity", ["us, tls, handshaking", null], () => {
  const bed = new Bed("workload");
  rawServer(bed.host(SERVER), at(HBONE), bed.context(PEER_ID));
  bed.call();
  return bed;
});

vector("EN-27", "the peer accepts TCP and sends nothing", ["us, timeout, handshaking", null], () => {
  const bed = new Bed("workload");
  bed.memory.listen({ address: at(HBONE), namespace: bed.host(SERVER).namespace }, () => {});
  bed.call();
  bed.advance(10_000);
  return bed;
});

vector("EN-28", "a caller connects and sends nothing", [null, "us, timeout, handshaking"], () => {
  const bed = new Bed();
  bed.memory.dial(at(HBONE), { namespace: bed.host("10.0.0.3").namespace }, { onConnect() {}, onDialFailure() {} });
  bed.advance(10_000);
  return bed;
});

vector("EN-29", "the peer does not answer the CONNECT", ["us, timeout, requesting", null], () => {
  const bed = new Bed("workload");
  bed.serve((peer) => peer.answer = () => {});
  bed.call();
  bed.advance(10_000);
  return bed;
});

vector("EN-30", "the mesh takes the address from the destination while it is dialled", [
  "us, destination lost, connecting",
  null,
], () => {
  const bed = new Bed("workload");
  bed.memory.blackhole(at(HBONE));
  bed.call();
  bed.apply({ kind: "remove-address", name: "Kubernetes//Pod/default/server" });
  return bed;
});

vector("EN-31", "the peer resets the request while the application is dialled", [null, "peer, rst, connecting"], () => {
  const bed = new Bed();
  bed.memory.blackhole(at(`${SERVER}:9`));
  const stream = bed.request(`${SERVER}:9`);
  bed.run();
  stream.stream.reset(ErrorCode.CANCEL);
  return bed;
});

vector("EN-32", "the application dialled for a caller does not answer", [null, "us, timeout, connecting"], () => {
  const bed = new Bed();
  bed.memory.blackhole(at(`${SERVER}:9`));
  bed.request(`${SERVER}:9`);
  bed.advance(30_000);
  return bed;
});

vector("EN-33", "a caller asks for another pod's address", [null, "us, no route, resolving"], () => {
  const bed = new Bed();
  bed.request("10.0.0.9:80");
  return bed;
});

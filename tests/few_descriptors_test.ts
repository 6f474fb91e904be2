/** A whole proxy without free descriptors: what is open goes on, and everything recovers when some are free again. */
import { strict as assert } from "node:assert";
import { istio } from "../testkit/gen/resources.js";
import { ROOT_PEM, serverIdentity } from "../src/grpc/testkit/server.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "../src/xds/resources.ts";
import { echoApp } from "../testkit/apps.ts";
import { ControlPlane } from "../testkit/control_plane.ts";
import { credential, sharedCa } from "../testkit/credentials.ts";
import { HbonePeer, type PeerStream } from "../testkit/hbone_peer.ts";
import { identityOf, meshText, NAMESPACE, nodeOf } from "../lab/mesh.ts";
import { Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { tempDir } from "../lab/temp_dir.ts";

const IP = "127.23.0.7";
const LIMIT = 220;
/** Descriptors of connections to the proxy's own servers, which end a little later. */
const SLACK = 8;

const OWN_WORKLOAD = {
  name: "b",
  version: "1",
  body: istio.workload.Address.encode({
    workload: {
      uid: "b",
      name: "b",
      namespace: NAMESPACE,
      serviceAccount: "b",
      addresses: [Uint8Array.from(IP.split(".").map(Number))],
      tunnelProtocol: istio.workload.TunnelProtocol.HBONE,
      node: nodeOf("b"),
    },
  }).finish(),
};

async function carries(tunnel: PeerStream): Promise<void> {
  tunnel.send("hello");
  assert.equal(await tunnel.read(5), "hello");
}

Deno.test("descriptors: a proxy that has none left keeps its connections and its control plane, and recovers", async () => {
  using folder = tempDir();
  await using app = echoApp(IP);
  await using plane = await ControlPlane.start({ identity: serverIdentity() });
  const mesh = meshText([]);
  await using proxy = new Proxy(
    nodeSettings({ name: "b", ip: IP, mesh, folder: folder.path }, { XDS_ADDRESS: plane.url, XDS_ROOT_CA: ROOT_PEM }),
    { before: ["prlimit", `--nofile=${LIMIT}:${LIMIT}`] },
  );
  const serve = async () => {
    const stream = await plane.stream();
    await stream.request();
    await stream.request();
    await stream.push(ADDRESS_TYPE, "1", [OWN_WORKLOAD]);
    await stream.push(AUTHORIZATION_TYPE, "1", []);
    return stream;
  };
  const first = await serve();
  await proxy.line(/marking server ready/);
  const inbound = await proxy.place("inbound");
  const own = credential(sharedCa(folder.path), identityOf("a"));
  await using peer = await HbonePeer.connect(inbound, own);
  const held = await peer.tunnel(app.authority);
  await carries(held);
  const idle = proxy.descriptors;

  // Each tunnel takes a descriptor for its application.
  const tunnels: PeerStream[] = [];
  for (let refused = false; !refused; assert.ok(tunnels.length < LIMIT)) {
    const tunnel = await peer.tunnel(app.authority).catch(() => null);
    if (tunnel === null) refused = true;
    else tunnels.push(tunnel);
  }
  const { fields } = await proxy.line(/access.*error=/);
  assert.match(fields.get("error") ?? "", /Too many open files/);
  const unharmed = async () => {
    for (const tunnel of [held, tunnels[0]!]) await carries(tunnel);
    for (const [server, path] of [["stats", "/metrics"], ["admin", "/config_dump"]] as const) {
      const response = await fetch(await proxy.url(server, path));
      assert.equal(response.status, 200, path);
      await response.text();
    }
  };
  await unharmed();
  await plane.stop();
  await proxy.line(/XDS client connection error/);
  await plane.start();
  first.abandon();
  const second = await serve();
  await unharmed();

  for (const tunnel of tunnels) tunnel.end();
  for (const tunnel of tunnels) assert.equal(await tunnel.rest(), "");
  await proxy.descriptorsBackTo(idle + SLACK);
  await using another = await HbonePeer.connect(inbound, own);
  for (const from of [peer, another]) {
    const tunnel = await from.tunnel(app.authority);
    await carries(tunnel);
    tunnel.end();
  }
  held.end();
  assert.equal(await held.rest(), "");
  second.abandon();
  await plane.stop();
  assert.equal((await proxy.stop()).code, 0);
});

/** Whatever the SPIRE agent does: traffic goes on with the certificate that is valid, and the next SVID is used. */
import { strict as assert } from "node:assert";
import { eventually } from "../lab/eventually.ts";
import { identityOf, meshText, NAMESPACE } from "../lab/mesh.ts";
import { Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { tempDir } from "../lab/temp_dir.ts";
import { echoApp } from "../testkit/apps.ts";
import { credential } from "../testkit/credentials.ts";
import { HbonePeer, type PeerStream } from "../testkit/hbone_peer.ts";
import { ScriptedAgent } from "../testkit/spire/agent.ts";

const IP = "127.23.0.6";

async function carries(tunnel: PeerStream): Promise<void> {
  tunnel.send("hello");
  assert.equal(await tunnel.read(5), "hello");
}

/** The serial number of the certificate in use; undefined: there is none. */
async function serialOf(proxy: Proxy): Promise<string | undefined> {
  const { certificates } = await (await fetch(await proxy.url("admin", "/config_dump"))).json();
  return certificates[0]?.certChain[0]?.serialNumber;
}

Deno.test("SPIRE: whatever the agent does, traffic goes on, and the next SVID is used", async (t) => {
  using folder = tempDir();
  await using app = echoApp(IP);
  await using agent = await ScriptedAgent.start(`${folder.path}/admin.sock`, "cluster.local");
  agent.addAccount(NAMESPACE, "b");
  const mesh = meshText([{ name: "b", ips: [IP] }]);
  await using proxy = await Proxy.ready(nodeSettings({ name: "b", ip: IP, mesh, folder: folder.path }, {
    FAKE_CA: "false",
    SPIRE_ENABLED: "true",
    SPIRE_ATTESTATION: "selectors",
    SPIRE_ADMIN_ENDPOINT_SOCKET: `unix://${agent.path}`,
  }));
  const inbound = await proxy.place("inbound");
  const own = credential(agent.ca.root, identityOf("a"));
  await using first = await HbonePeer.connect(inbound, own);
  const held = await first.tunnel(app.authority);
  const unharmed = async () => {
    await carries(held);
    await using peer = await HbonePeer.connect(inbound, own);
    await carries(await peer.tunnel(app.authority));
  };
  const [entry] = agent.entries;
  const restart = async () => {
    await agent.stop();
    await agent.start();
  };
  const subscribed = (count: number) => eventually("a subscription", () => agent.subscriptions.length > count);
  const broken = {
    x509Svid: { certChain: [Uint8Array.of(1)], id: { trustDomain: "cluster.local", path: `/ns/${NAMESPACE}/sa/b` } },
    x509SvidKey: Uint8Array.of(1),
  };

  const misdeeds: Readonly<Record<string, { does(): Promise<unknown>; undo(): Promise<void> | void }>> = {
    "its process ends": {
      async does() {
        await agent.stop();
        await proxy.line(/admin\.sock.*(refused|No such file)/);
      },
      undo: () => agent.start(),
    },
    "it refuses the proxy": {
      async does() {
        agent.refusal = "not authorized to use the delegated identity API";
        await restart();
        await proxy.line(/not authorized to use the delegated identity API/);
      },
      undo: () => void (agent.refusal = null),
    },
    "it accepts streams and sends nothing": {
      async does() {
        const { length } = agent.subscriptions;
        agent.muteSvids = agent.muteBundles = true;
        await restart();
        await subscribed(length);
      },
      async undo() {
        agent.muteSvids = agent.muteBundles = false;
        await restart();
      },
    },
    "it has no entries yet": {
      async does() {
        const { length } = agent.subscriptions;
        agent.entries.length = 0;
        await restart();
        await subscribed(length);
      },
      undo: () => void agent.add(entry!),
    },
    "its messages are malformed": {
      async does() {
        agent.pushMessage({ x509Svids: [broken] });
        await proxy.line(/Error receiving SVID response/);
      },
      undo: () => agent.rotate(),
    },
  };
  for (const [what, { does, undo }] of Object.entries(misdeeds)) {
    await t.step(what, async () => {
      const serial = await serialOf(proxy);
      await does();
      await unharmed();
      await undo();
      await eventually("another certificate", async () => ![serial, undefined].includes(await serialOf(proxy)));
      await unharmed();
    });
  }
  held.end();
  assert.equal(await held.rest(), "");
  assert.equal((await proxy.stop()).code, 0);
});

/** `/connections`, `/observe` and `ztunnel observe` of a running proxy. */
import { strict as assert } from "node:assert";
import { identityOf, meshText } from "../lab/mesh.ts";
import { Program } from "../lab/program.ts";
import { Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { tempDir } from "../lab/temp_dir.ts";
import { echoApp } from "../testkit/apps.ts";
import { credential, sharedCa } from "../testkit/credentials.ts";
import { HbonePeer } from "../testkit/hbone_peer.ts";
import { freePorts } from "../testkit/ports.ts";

const IP = "127.26.0.10";

/** Several workers cannot share ports that the kernel chooses. */
function sharedPorts(): Record<string, string> {
  const [inbound, plaintext, outbound] = freePorts(IP, 3);
  return {
    ZTUNNEL_WORKER_THREADS: "2",
    UNSTABLE_ENABLE_SOCKS5: "false",
    INBOUND_PORT: `${inbound}`,
    INBOUND_PLAINTEXT_PORT: `${plaintext}`,
    OUTBOUND_PORT: `${outbound}`,
  };
}

/** A proxy with two workers, an app behind it, and peers with a tunnel each. */
async function withTunnels(count: number, test: (proxy: Proxy, admin: string) => Promise<void>): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(tempDir());
  const { authority } = stack.use(echoApp(IP));
  const mesh = meshText([{ name: "b", ips: [IP] }]);
  const settings = nodeSettings({ name: "b", ip: IP, mesh, folder: folder.path });
  const proxy = stack.use(await Proxy.ready({ ...settings, ...sharedPorts() }));
  const one = credential(sharedCa(folder.path), identityOf("a"));
  const inbound = await proxy.place("inbound");
  for (let i = 0; i < count; i++) {
    const peer = stack.use(await HbonePeer.connect(inbound, one));
    const tunnel = await peer.tunnel(authority);
    tunnel.send("hello");
    assert.equal(await tunnel.read(5), "hello");
    if (i === 0) await assert.rejects(peer.tunnel(`${IP}:1`), /503/);
  }
  const admin = await proxy.place("admin");
  await test(proxy, `${admin.hostname}:${admin.port}`);
}

Deno.test("connections of all workers are listed, whole and in pages, and filtered", async () => {
  await withTunnels(5, async (_proxy, admin) => {
    const list = async (query: string) => await (await fetch(`http://${admin}/connections?${query}`)).json();
    const all = (await list("")).connections;
    assert.equal(all.length, 5);
    const [first] = all;
    assert.deepEqual([first.pod, first.state, first.protocol, first.bytesSent, first.bytesReceived], [
      "test/b",
      "open",
      "HBONE",
      5,
      5,
    ]);
    assert.equal(first.source.identity, identityOf("a"));
    const ids: string[] = [];
    let next = "";
    do {
      const page = await list(`limit=2&after=${next}`);
      ids.push(...page.connections.map(({ id }: { id: string }) => id));
      next = page.next;
    } while (next !== null);
    assert.deepEqual(ids, all.map(({ id }: { id: string }) => id));
    assert.deepEqual((await list("direction=outbound")).connections, []);
    assert.equal((await list(`identity=${identityOf("a")}&state=open&namespace=test`)).connections.length, 5);
  });
});

Deno.test("decision ids: all workers have the same, and their counts are summed", async () => {
  await withTunnels(5, async (_proxy, admin) => {
    const json = async (path: string) => await (await fetch(`http://${admin}${path}`)).json();
    const { connections } = await json("/connections");
    const ids = new Set(connections.map(({ decision }: { decision: string }) => decision));
    assert.deepEqual([...ids], ["no-allow-policies"]);
    assert.deepEqual(
      connections.filter(({ times }: { times: { serverByte: unknown } }) => times.serverByte === null),
      [],
    );
    // One more than there are connections: the application did not listen there.
    const { decision: { count, policy } } = await json("/explain?id=no-allow-policies");
    assert.deepEqual([count, policy], [6, null]);
    assert.deepEqual((await json("/decisions")).decisions.map(({ id }: { id: string }) => id), ["no-allow-policies"]);
    assert.equal((await json("/explain?id=aaaaaaaaaaaa.1")).error.code, "UNKNOWN_DECISION");
  });
});

Deno.test("the command shows past and new flows, also those that end in a drain, and ends with it", async () => {
  await withTunnels(1, async (proxy, admin) => {
    const args = ["run", "-A", "main.ts", "observe", "--admin", admin];
    await using observer = new Program(Deno.execPath(), { args });
    await observer.line(
      / inbound .*:1 ended {3}failed .*refused by server in connecting : connection failed: Connection/,
    );
    const stopped = proxy.stop("SIGTERM");
    await observer.line(
      / inbound .* ended {3}failed .*drain by us in open : connection closed due to connection drain/,
    );
    assert.equal((await observer.ended()).code, 0);
    await stopped;
  });
});

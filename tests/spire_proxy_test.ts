/** A proxy with certificates from a scripted SPIRE agent: effects of entries, bundles and roots on peers. */
import { strict as assert } from "node:assert";
import { type App, echoApp } from "../testkit/apps.ts";
import { type Credential, credential } from "../testkit/credentials.ts";
import { HbonePeer } from "../testkit/hbone_peer.ts";
import { identityOf, meshText, NAMESPACE } from "../lab/mesh.ts";
import { eventually } from "../lab/eventually.ts";
import { type Place, Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { ScriptedAgent } from "../testkit/spire/agent.ts";
import { type SpireCa, spireCa } from "../testkit/spire/ca.ts";
import { type TempDir, tempDir } from "../lab/temp_dir.ts";

const IP = "127.0.0.3";
const FOREIGN = "spiffe://other.test/ns/there/sa/peer";

function settings(folder: TempDir, agent: ScriptedAgent, more: Readonly<Record<string, string>> = {}) {
  return nodeSettings({ name: "b", ip: IP, mesh: meshText([{ name: "b", ips: [IP] }]), folder: folder.path }, {
    FAKE_CA: "false",
    SPIRE_ENABLED: "true",
    SPIRE_ATTESTATION: "selectors",
    SPIRE_ADMIN_ENDPOINT_SOCKET: `unix://${agent.path}`,
    ...more,
  });
}

class Bench implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly own: Credential;
  readonly foreign: Credential;

  private constructor(
    stack: AsyncDisposableStack,
    readonly agent: ScriptedAgent,
    readonly other: SpireCa,
    readonly proxy: Proxy,
    readonly inbound: Place,
    readonly app: App,
  ) {
    this.#stack = stack;
    this.own = credential(agent.ca.root, identityOf("a"));
    this.foreign = credential(other.root, FOREIGN);
  }

  static async start(more: Readonly<Record<string, string>> = {}): Promise<Bench> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(tempDir());
    const app = stack.use(echoApp(IP));
    const agent = stack.use(await ScriptedAgent.start(`${folder.path}/admin.sock`, "cluster.local"));
    const proxy = stack.use(await Proxy.ready(settings(folder, agent, more)));
    const inbound = await proxy.place("inbound");
    return new Bench(stack.move(), agent, spireCa("other.test"), proxy, inbound, app);
  }

  /** Whether a tunnel with this certificate reaches the app. */
  async admits(peerCredential: Credential): Promise<boolean> {
    try {
      await using peer = await HbonePeer.connect(this.inbound, peerCredential);
      await peer.tunnel(this.app.authority);
      return true;
    } catch {
      return false;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

Deno.test("SPIRE: an entry that is created, deleted and created again applies from the next handshake on", async () => {
  await using bench = await Bench.start();
  assert.ok(!await bench.admits(bench.own));
  await bench.proxy.line(
    /no registration entry for spiffe:\/\/cluster\.local\/ns\/test\/sa\/b: .* k8s:ns:test, k8s:sa:b /,
  );
  const entry = bench.agent.addAccount(NAMESPACE, "b");
  await eventually("a certificate", () => bench.admits(bench.own));
  await using open = await HbonePeer.connect(bench.inbound, bench.own);
  const tunnel = await open.tunnel(bench.app.authority);
  bench.agent.delete(entry);
  await eventually("no certificate any more", async () => !await bench.admits(bench.own));
  tunnel.send("still here");
  assert.equal(await tunnel.read(10), "still here");
  bench.agent.addAccount(NAMESPACE, "b");
  await eventually("a certificate again", () => bench.admits(bench.own));
  assert.equal(bench.agent.subscriptions.length, 1);
});

Deno.test("SPIRE_REVOKE_OPEN: an entry that is deleted ends open connections too", async () => {
  await using bench = await Bench.start({ SPIRE_REVOKE_OPEN: "true" });
  const entry = bench.agent.addAccount(NAMESPACE, "b");
  await eventually("a certificate", () => bench.admits(bench.own));
  await using open = await HbonePeer.connect(bench.inbound, bench.own);
  const tunnel = await open.tunnel(bench.app.authority);
  bench.agent.delete(entry);
  await assert.rejects(tunnel.read(1));
  await bench.proxy.line(/the certificate of this workload was withdrawn \(SPIRE_REVOKE_OPEN\)/);
});

Deno.test("SPIRE: a node without any certificate reports it in its readiness, and as a metric", async () => {
  await using bench = await Bench.start();
  const ready = async () => await (await fetch(await bench.proxy.url("readiness", "/healthz/ready"))).text();
  const metrics = async () => await (await fetch(await bench.proxy.url("stats", "/metrics"))).text();
  assert.ok(!await bench.admits(bench.own));
  await eventually(
    "the answer",
    async () => /^ready, but no certificate of 1 is available since .*: no regis/.test(await ready()),
  );
  assert.match(await metrics(), /^istio_certificates_none_available_timestamp_seconds [1-9]/m);
  assert.match(await metrics(), /^istio_certificate_authority_away_timestamp_seconds 0$/m);
  bench.agent.addAccount(NAMESPACE, "b");
  await eventually("a certificate", () => bench.admits(bench.own));
  assert.equal(await ready(), "ready\n");
  assert.match(await metrics(), /^istio_certificates_none_available_timestamp_seconds 0$/m);
  await bench.agent.stop();
  await eventually(
    "the metric",
    async () => /^istio_certificate_authority_away_timestamp_seconds [1-9]/m.test(await metrics()),
  );
});

Deno.test("identity B10, B11, S11: peers of a federated domain are accepted by its own roots only", async () => {
  await using bench = await Bench.start();
  const { agent, other } = bench;
  agent.bundles.set("spiffe://other.test", other.root.certificate);
  agent.bundles.set("spiffe://broken.test", Uint8Array.of(0x30, 3, 1));
  agent.pushBundles();
  const alone = agent.addAccount(NAMESPACE, "b");
  await eventually("a certificate", () => bench.admits(bench.own));
  assert.ok(!await bench.admits(bench.foreign), "known to the agent, and not to the workload");
  await bench.proxy.line(
    /claims to be spiffe:\/\/other\.test\/ns\/there\/sa\/peer.* is not federated: .*-federatesWith/,
  );
  agent.delete(alone);
  agent.addAccount(NAMESPACE, "b", { federatesWith: ["spiffe://other.test", "spiffe://broken.test"] });
  await eventually("federation", () => bench.admits(bench.foreign));
  assert.ok(await bench.admits(bench.own));
  assert.ok(!await bench.admits(credential(other.root, identityOf("a"))), "their root for our domain");
  assert.ok(!await bench.admits(credential(agent.ca.root, FOREIGN)), "our root for their domain");
  await using peer = await HbonePeer.connect(bench.inbound, bench.foreign);
  await peer.tunnel(bench.app.authority);
  await peer[Symbol.asyncDispose]();
  const line = await bench.proxy.line(/\baccess\b.*src\.identity="spiffe:\/\/other\.test/);
  assert.equal(line.fields.get("src.identity"), FOREIGN);
});

Deno.test("identity P29: peers of a new root are accepted as soon as the bundle has it", async () => {
  await using bench = await Bench.start();
  const { agent } = bench;
  agent.addAccount(NAMESPACE, "b");
  await eventually("a certificate", () => bench.admits(bench.own));
  const next = spireCa("cluster.local");
  const late = credential(next.root, identityOf("a"));
  assert.ok(!await bench.admits(late));
  agent.bundles.set("spiffe://cluster.local", new Uint8Array([...agent.ca.root.certificate, ...next.root.certificate]));
  agent.pushBundles();
  await eventually("trust in the new root", () => bench.admits(late));
  assert.ok(await bench.admits(bench.own));
});

Deno.test("identity S30: private keys stay in memory: none in the log at its lowest level, none in the dump", async () => {
  await using bench = await Bench.start({ RUST_LOG: "trace" });
  bench.agent.addAccount(NAMESPACE, "b");
  await eventually("a certificate", () => bench.admits(bench.own));
  bench.agent.rotate();
  const serial = /"serialNumber": ?"(\d+)"/;
  const dump = await (await fetch(await bench.proxy.url("admin", "/config_dump"))).text();
  assert.match(dump, serial);
  const said = [dump, ...bench.proxy.program.printed].join("\n");
  assert.equal(bench.agent.keys.length, 2);
  for (const key of bench.agent.keys) {
    const base64 = btoa(String.fromCharCode(...key));
    // Searches the middle of the key, as base64 at any offset, as hex, and as decimal bytes.
    for (const text of [base64.slice(60, 100), key.toHex().slice(80, 160), [...key.subarray(40, 80)].join(",")]) {
      assert.ok(!said.includes(text));
    }
  }
});

Deno.test("identity 4.1: the proxy is not ready before the agent answers, and says what it waits for", async () => {
  using folder = tempDir();
  await using agent = await ScriptedAgent.start(`${folder.path}/admin.sock`, "cluster.local");
  await agent.stop();
  await using proxy = new Proxy(settings(folder, agent));
  await proxy.line(
    /cannot reach the SPIRE agent at unix:.*SPIRE_ADMIN_ENDPOINT_SOCKET must be the path of admin_socket_path/,
  );
  await proxy.line(/Task 'proxy' complete \(.*\), still awaiting 1 tasks/);
  await agent.start();
  await proxy.line(/Task 'certificate authority' complete \(.*\), marking server ready/);
  assert.equal((await proxy.stop()).code, 0);
});

Deno.test("identity P2: a proxy with another trust domain than SPIRE's is not ready, and names both and the setting", async () => {
  using folder = tempDir();
  await using agent = await ScriptedAgent.start(`${folder.path}/admin.sock`, "spire.test");
  await using proxy = new Proxy(settings(folder, agent));
  await proxy.line(
    /SPIRE has no trust bundle of cluster\.local, which CLUSTER_DOMAIN says is the trust domain, but of: spire\.test/,
  );
  await proxy.line(/Task 'proxy' complete/);
  const answer = await fetch(await proxy.url("readiness", "/healthz/ready"));
  assert.equal(answer.status, 500);
  assert.match(await answer.text(), /certificate authority/);
});

Deno.test("identity S28: a flood of malformed messages from the agent causes ten log lines a minute, and is not trusted", async () => {
  await using bench = await Bench.start();
  const entry = bench.agent.addAccount(NAMESPACE, "b");
  await eventually("a certificate", () => bench.admits(bench.own));
  const id = { trustDomain: "cluster.local", path: `/ns/${NAMESPACE}/sa/b` };
  const malformed = { x509Svids: [{ x509Svid: { certChain: [Uint8Array.of(1)], id }, x509SvidKey: Uint8Array.of(1) }] };
  for (let i = 0; i < 500; i++) bench.agent.pushMessage(malformed);
  // When the withdrawal has an effect, all earlier messages have been handled.
  bench.agent.delete(entry);
  await eventually("no certificate any more", async () => !await bench.admits(bench.own));
  const lines = bench.proxy.program.printed.filter((line) => line.includes("Error receiving SVID response"));
  assert.equal(lines.length, 10);
});

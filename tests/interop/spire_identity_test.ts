/** Which pods get an identity from a real SPIRE, and which get none. */
import { strict as assert } from "node:assert";
import { CertificateError } from "../../src/identity/authority.ts";
import { isMalformed, parseCertificate } from "../../src/identity/certificate.ts";
import { nameText } from "../../src/identity/name_text.ts";
import { isRefusal } from "../../src/identity/peer_chain.ts";
import { TrustStore } from "../../src/identity/trust_bundles.ts";
import { verifyPeer } from "../../src/identity/verify_peer.ts";
import { eventually } from "../../lab/eventually.ts";
import { ScriptedRuntime } from "../../testkit/spire/cri.ts";
import { SpirePod } from "../../testkit/spire/pod.ts";
import { BROKER_VERSION, DELEGATE, RealSpire, testWithSpire } from "../../testkit/spire/real.ts";
import { account, bySelectors, client, refusalOf, served } from "../../testkit/spire/real_client.ts";
import { tempDir } from "../../lab/temp_dir.ts";

const USER = 2001;
/** ms by which SPIRE backdates a certificate. */
const BACK_DATED = 10_000;

testWithSpire({}, "SPIRE, observed O18: a certificate by selectors, which peers accept in both roles", async () => {
  await using spire = await RealSpire.start();
  using proxy = bySelectors(spire);
  await spire.addAccount("default", "app");
  const issued = await served(proxy, account("app"));
  const trust = new TrustStore(issued.bundles);
  for (const role of ["client", "server"] as const) {
    const expected = { kind: "any-of", ids: [account("app").id] } as const;
    const verdict = verifyPeer([...issued.chain, trust.anchors[0]!], role, trust, expected, Date.now());
    assert.ok(!isRefusal(verdict), JSON.stringify(verdict));
  }
  const leaf = parseCertificate(issued.chain[0]!);
  assert.ok(!isMalformed(leaf));
  assert.equal(nameText(leaf.subject), "C=US, O=SPIRE");
  assert.equal((leaf.notAfter - leaf.notBefore) % 60_000, BACK_DATED, "whole minutes, and what it is back-dated by");
});

testWithSpire({}, "SPIRE: an account without an entry is told so at once, its entry arrives by push", async () => {
  await using spire = await RealSpire.start();
  using proxy = bySelectors(spire);
  await spire.addAccount("default", "other");
  await served(proxy, account("other"));
  const { message, code } = await refusalOf(proxy, account("app"));
  assert.equal(code, "NO_ENTRY");
  assert.match(message, /SPIRE has none that fits selectors k8s:ns:default, k8s:sa:app /);
  // Not counted by changes: the manager may have asked once more meanwhile.
  const entry = await spire.addAccount("default", "app");
  await eventually("the certificate", () => proxy.manager.current(account("app")));
  await spire.deleteEntry(entry);
  await eventually("the withdrawal", () => proxy.manager.current(account("app")) === null);
});

testWithSpire(
  {},
  "SPIRE: certificates by process, for each pod its own, and none for somebody else's process",
  async () => {
    await using spire = await RealSpire.start();
    using folder = tempDir("cri-");
    await using runtime = await ScriptedRuntime.start(`${folder.path}/cri.sock`);
    await using one = await SpirePod.start(runtime, USER);
    await using two = await SpirePod.start(runtime, USER);
    await using stranger = await SpirePod.start(runtime, USER + 1);
    using proxy = client(spire, { CONTAINER_RUNTIME_SOCK_PATH: runtime.path });
    await spire.addEntry({ path: "/ns/default/sa/app", selectors: [`unix:uid:${USER}`] });
    const first = await served(proxy, account("app", one.uid));
    const second = await served(proxy, account("app", two.uid));
    assert.equal(first.id, second.id);
    assert.match((await refusalOf(proxy, account("app", stranger.uid))).message, /SPIRE has none that fits PID \d+ /);
    // The runtime names a process of another pod.
    runtime.add({ uid: "lost", containers: [...runtime.pods.get(two.uid)!.containers] });
    assert.match((await refusalOf(proxy, account("app", "lost"))).message, /is in no control group of pod lost$/);
    proxy.manager.remove(account("app", one.uid));
    assert.equal(proxy.authority.size, 3);
  },
);

testWithSpire(
  {},
  "SPIRE: a container starts anew: its stream ends, and the pod is asked about by its new process",
  async () => {
    await using spire = await RealSpire.start();
    using folder = tempDir("cri-");
    await using runtime = await ScriptedRuntime.start(`${folder.path}/cri.sock`);
    await using pod = await SpirePod.start(runtime, USER);
    using proxy = client(spire, { CONTAINER_RUNTIME_SOCK_PATH: runtime.path });
    await spire.addEntry({ path: "/ns/default/sa/app", selectors: [`unix:uid:${USER}`] });
    const first = await served(proxy, account("app", pod.uid));
    const { pid } = pod;
    await pod.restart();
    assert.notEqual(pod.pid, pid);
    const before = runtime.calls.length;
    const since = proxy.changes.length;
    // Both processes have equal selectors, so the agent gives the same SVID for them.
    const asked = () => runtime.calls.slice(before).includes("ListPodSandbox");
    await eventually("a look for the new process", asked, () => proxy.lines.join("\n"));
    assert.equal((await proxy.get(account("app", pod.uid))).id, first.id);
    assert.ok(!proxy.changes.slice(since).some((change) => change instanceof CertificateError));
  },
);

testWithSpire(
  {},
  "SPIRE, observed O44: a container that begins as a script gets its certificate once it executes its program",
  async () => {
    await using spire = await RealSpire.start({ findsPaths: true });
    using folder = tempDir("cri-");
    await using runtime = await ScriptedRuntime.start(`${folder.path}/cri.sock`);
    const start = `${folder.path}/start`;
    const command = ["sh", "-c", `until [ -e ${start} ]; do sleep 0.1; done; exec sleep 600`];
    Deno.chmodSync(folder.path, 0o755);
    await using pod = await SpirePod.start(runtime, USER, { command });
    using proxy = client(spire, { CONTAINER_RUNTIME_SOCK_PATH: runtime.path });
    await spire.addEntry({ path: "/ns/default/sa/app", selectors: [`unix:path:${Deno.realPathSync("/bin/sleep")}`] });
    // An SVID by the entry for the script shows that the agent knows both entries.
    await spire.addEntry({ path: "/ns/default/sa/script", selectors: [`unix:path:${Deno.realPathSync("/bin/sh")}`] });
    await served(proxy, account("script", pod.uid));
    assert.equal((await refusalOf(proxy, account("app", pod.uid))).code, "SAN_MISMATCH");
    Deno.writeTextFileSync(start, "");
    await eventually(
      "the certificate",
      () => proxy.manager.current(account("app", pod.uid)),
      () => proxy.lines.join("\n"),
    );
  },
);

testWithSpire({}, "SPIRE: a call before the container runs is served once the runtime reports its start", async () => {
  await using spire = await RealSpire.start();
  using folder = tempDir("cri-");
  await using runtime = await ScriptedRuntime.start(`${folder.path}/cri.sock`);
  await using pod = await SpirePod.start(runtime, USER);
  const containers = [...runtime.pods.get(pod.uid)!.containers];
  runtime.add({ uid: pod.uid, containers: [] });
  using proxy = client(spire, { CONTAINER_RUNTIME_SOCK_PATH: runtime.path });
  await spire.addEntry({ path: "/ns/default/sa/app", selectors: [`unix:uid:${USER}`] });
  await eventually("the stream of events", () => runtime.watchers === 1);
  assert.match((await refusalOf(proxy, account("app", pod.uid))).message, /No running containers found for pod UID/);
  runtime.add({ uid: pod.uid, containers });
  runtime.emit(pod.uid, "STARTED");
  await eventually(
    "the certificate",
    () => proxy.manager.current(account("app", pod.uid)),
    () => proxy.lines.join("\n"),
  );
});

testWithSpire({}, "SPIRE: a delegate that is not authorized, and one without an entry", async () => {
  await using spire = await RealSpire.start({ delegate: "/somebody-else" });
  using proxy = bySelectors(spire);
  await spire.addAccount("default", "app");
  const known = () =>
    proxy.get(account("app")).then(() => null, (error) => error.message.includes("authorized delegate"));
  await eventually("the answer to a known delegate", known, () => proxy.lines.join("\n"));
  const { message, code } = await refusalOf(proxy, account("app"));
  assert.equal(code, "DENIED");
  assert.match(message, /put the proxy's SPIFFE id into authorized_delegates in the agent's configuration$/);
  const [own] = await spire.entries(DELEGATE);
  await spire.deleteEntry(own!);
  const unknown = () =>
    proxy.get(account("app")).then(() => null, (error) => error.message.includes("no identity issued"));
  await eventually("the answer to a stranger", unknown, () => proxy.lines.join("\n"));
});

testWithSpire({}, "SPIRE: the socket of the Workload API in the place of the admin socket", async () => {
  await using spire = await RealSpire.start();
  using proxy = client(spire, {
    SPIRE_ATTESTATION: "selectors",
    SPIRE_ADMIN_ENDPOINT_SOCKET: `unix://${spire.workloadSocket}`,
  });
  const { message } = await refusalOf(proxy, account("app"));
  assert.match(message, /SPIRE_ADMIN_ENDPOINT_SOCKET must name the socket of admin_socket_path/);
});

testWithSpire({}, "SPIRE: two servers federate; the workload trusts both, each root for its own domain", async () => {
  await using spire = await RealSpire.start();
  await using other = await RealSpire.start({ trustDomain: "other.test" });
  using proxy = bySelectors(spire);
  using foreign = bySelectors(other);
  await spire.federate("other.test", await other.bundle());
  await spire.addAccount("default", "app", { federatesWith: ["other.test"] });
  await spire.addAccount("default", "alone");
  await other.addAccount("default", "peer");
  const peer = account("peer", null, "other.test");
  const stranger = await served(foreign, peer);
  const app = await served(proxy, account("app"));
  const alone = await served(proxy, account("alone"));
  assert.deepEqual([...app.bundles.byTrustDomain.keys()], ["cluster.local", "other.test"]);
  assert.deepEqual([...alone.bundles.byTrustDomain.keys()], ["cluster.local"]);
  const chain = [...stranger.chain, stranger.bundles.byTrustDomain.get("other.test")![0]!];
  const expected = { kind: "any-of", ids: [peer.id] } as const;
  const verdict = (trust: typeof app.bundles) =>
    verifyPeer(chain, "server", new TrustStore(trust), expected, Date.now());
  assert.ok(!isRefusal(verdict(app.bundles)));
  assert.ok(isRefusal(verdict(alone.bundles)));
});

testWithSpire({}, "SPIRE: the Broker API, by process", async () => {
  await using spire = await RealSpire.start({
    agentVersion: BROKER_VERSION,
    brokers: ["spiffe://cluster.local/ztunnel"],
  });
  using folder = tempDir("cri-");
  await using runtime = await ScriptedRuntime.start(`${folder.path}/cri.sock`);
  await using pod = await SpirePod.start(runtime, USER);
  const broker = {
    SPIRE_ENABLED: undefined,
    CA_PROVIDER: "spiffe_broker",
    SPIFFE_BROKER_SOCKET: `unix://${spire.brokerSocket}`,
    SPIFFE_BROKER_WORKLOAD_API_SOCKET: `unix://${spire.workloadSocket}`,
    SPIFFE_BROKER_WORKLOAD_API_SPIFFE_ID: spire.id(DELEGATE),
    SPIFFE_BROKER_ATTESTATION: "pid",
    CONTAINER_RUNTIME_SOCK_PATH: runtime.path,
  };
  using proxy = client(spire, broker);
  const refused = () => proxy.get(account("app", pod.uid)).then(() => null, (error) => error.code === "NO_ENTRY");
  await eventually("the answer for a pod without entry", refused, () => proxy.lines.join("\n"));
  await spire.addEntry({ path: "/ns/default/sa/app", selectors: [`unix:uid:${USER}`] });
  const issued = await served(proxy, account("app", pod.uid));
  assert.deepEqual([...issued.bundles.byTrustDomain.keys()], ["cluster.local"]);
});

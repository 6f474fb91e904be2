/** The proxy's xDS client with a real istiod: over TLS, with a token, over restarts. */
import { strict as assert } from "node:assert";
import { namespacedHostname, policyKey, workloadUid } from "../../src/mesh/model/model.ts";
import type { MeshState } from "../../src/mesh/state/state.ts";
import { LOOKUP_LIMITS } from "../../src/xds/lookups.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "../../src/xds/resources.ts";
import { Istiod, testWithIstiod } from "../../lab/istio/istiod.ts";
import { IstiodClient } from "../../testkit/istio/istiod_client.ts";
import { authorizationPolicy, CLUSTER, documents, pod, reference, service } from "../../lab/istio/istiod_objects.ts";
import { proxySettings } from "../../lab/istio/istiod_settings.ts";
import { serviceAccountToken } from "../../lab/istio/istiod_token.ts";
import { eventually } from "../../lab/eventually.ts";
import { tempDir } from "../../lab/temp_dir.ts";

const WEB = pod({ name: "web", ip: "10.1.0.1", ports: { http: 8080 } });
const FAR = pod({ name: "far", ip: "10.1.0.2", node: "node-2", labels: { app: "web" } });
const SERVICE = service({ name: "web", vip: "10.2.0.1", ports: { 80: "http" } });
const DENY = authorizationPolicy({ name: "deny", action: "DENY", rules: [{}] });
const OBJECTS = documents(CLUSTER, WEB, SERVICE, DENY);

const uid = (name: string) => workloadUid(`Kubernetes//Pod/app/${name}`);
const knows = (name: string) => (state: MeshState) => state.workload(uid(name)) !== null;
const HOST = namespacedHostname("app", "web.app.svc.cluster.local");
const ztunnel = (istiod: Istiod) => proxySettings(istiod, "ztunnel-1", "192.0.2.1");

/** A client whose streams a test can end. */
const EAGER = { ...LOOKUP_LIMITS, refreshAfter: 200 };

/** Waits until everything that was sent is acknowledged, and nothing refused. */
async function allAcknowledged(istiod: Istiod): Promise<void> {
  await eventually("acknowledgement of all", async () => {
    const [client] = await istiod.clients();
    const watches = [ADDRESS_TYPE, AUTHORIZATION_TYPE].map((type) => client?.watches[type]);
    return watches.every((watch) => watch !== undefined && watch.sent === watch.acked && watch.error === "");
  });
}

testWithIstiod({}, "istiod client: a wildcard start, then every change as it comes", async () => {
  await using istiod = await Istiod.start({ objects: OBJECTS });
  await using client = new IstiodClient({ settings: ztunnel(istiod) });
  await client.ready();
  assert.deepEqual(client.batches.map(({ type }) => type), [ADDRESS_TYPE, AUTHORIZATION_TYPE]);
  assert.deepEqual(client.state.workload(uid("web"))?.workloadIps, ["10.1.0.1"]);
  assert.equal(client.state.service(HOST)?.service.name, "web");
  assert.equal(client.state.policy(policyKey("app/deny"))?.action, "Deny");
  await allAcknowledged(istiod);
  assert.equal((await istiod.clients())[0]?.node, "ztunnel-1.istio-system");

  await istiod.apply(FAR);
  await client.until("the new pod", knows("far"));
  await istiod.delete(reference("Pod", "far"));
  await client.until("the end of the pod", (state) => !knows("far")(state));
  await istiod.delete(documents(reference("Service", "web"), reference("AuthorizationPolicy", "deny")));
  await client.until("the end of the service", (state) => state.service(HOST) === null);
  await client.until("the end of the policy", (state) => state.policy(policyKey("app/deny")) === null);
  await istiod.apply(authorizationPolicy({ name: "allow", app: "web" }));
  await client.until("the workload's policy", (state) => {
    const { authorizationPolicies = [] } = state.workload(uid("web")) ?? {};
    return authorizationPolicies.join() === "app/allow" && state.policy(policyKey("app/allow")) !== null;
  });
  await allAcknowledged(istiod);
});

testWithIstiod({}, "istiod client: after a restart of istiod only what changed meanwhile comes", async () => {
  await using istiod = await Istiod.start({ objects: documents(OBJECTS, FAR), hostname: "127.78.1.3" });
  await using client = new IstiodClient({ settings: ztunnel(istiod) });
  await client.ready();
  await istiod.stop();
  await client.line(/XDS client .*retrying in/);
  assert.ok(knows("web")(client.state), "what is known stays");
  const before = client.batches.length;
  await istiod.restart({ applied: pod({ name: "more", ip: "10.1.0.3" }), deleted: ["Pod/app/far"] });
  await client.until("the new pod", knows("more"));
  const addresses = client.batches.slice(before).filter(({ type }) => type === ADDRESS_TYPE);
  assert.deepEqual(addresses, [{ type: ADDRESS_TYPE, changed: [uid("more")], removed: [uid("far")] }]);
  await allAcknowledged(istiod);
});

testWithIstiod({}, "istiod client: a stream that istiod ends is opened again, and nothing is sent twice", async () => {
  await using istiod = await Istiod.start({ objects: OBJECTS });
  await using client = new IstiodClient({ settings: ztunnel(istiod) });
  await client.ready();
  await allAcknowledged(istiod);
  const before = client.batches.length;
  assert.equal(await istiod.drop(), 1);
  await client.line(/XDS client complete/);
  await client.until("both answers", () => client.batches.length === before + 2);
  const again = new Map(client.batches.slice(before).map((batch) => [batch.type, batch]));
  assert.deepEqual(again.get(ADDRESS_TYPE), { type: ADDRESS_TYPE, changed: [], removed: [] });
  assert.deepEqual(again.get(AUTHORIZATION_TYPE)?.changed, ["app/deny"], "policies have no versions");
  assert.equal(client.metrics.cell("istio_xds_connection_terminations", "Complete").value, 1);
});

testWithIstiod(
  {},
  "istiod client: a connection that istiod retires for its age is replaced without a warning",
  async () => {
    await using istiod = await Istiod.start({ objects: OBJECTS, maxAge: "1s" });
    await using client = new IstiodClient({ settings: ztunnel(istiod) });
    await client.ready();
    await eventually("another stream", () => client.lines.filter((line) => /Stream established/.test(line)).length > 1);
    assert.deepEqual(client.lines.filter((line) => /\twarn\t|\terror\t/.test(line)), []);
    assert.equal(client.metrics.cell("istio_xds_connection_terminations", "Reconnect").value > 0, true);
  },
);

testWithIstiod(
  {},
  "istiod client: xds Q14: a list that istiod finds too long is not sent again, and what has gone goes",
  async () => {
    const many = Array.from({ length: 60 }, (_, n) => pod({ name: `one-of-many-${n}`, ip: `10.1.1.${n + 1}` }));
    await using istiod = await Istiod.start({
      objects: documents(OBJECTS, ...many),
      hostname: "127.78.1.4",
      env: { ISTIO_GPRC_MAXRECVMSGSIZE: "2000" },
    });
    await using client = new IstiodClient({ settings: ztunnel(istiod) });
    await client.ready();
    await istiod.stop();
    await istiod.restart({ applied: FAR, deleted: ["Pod/app/one-of-many-7", "AuthorizationPolicy/app/deny"] });
    await client.line(/refuses the list of known resources as too long/);
    await client.until("the new pod", knows("far"));
    await client.until("the end of the policy", (state) => state.policy(policyKey("app/deny")) === null);
    assert.equal(knows("one-of-many-7")(client.state), false);
    assert.ok(knows("one-of-many-8")(client.state));
    await allAcknowledged(istiod);
  },
);

testWithIstiod({}, "istiod client: what the proxy cannot use is told, the rest is used", async () => {
  await using istiod = await Istiod.start({ objects: documents(OBJECTS, FAR) });
  const refuse = (name: string) => name === uid("far") ? "unknown address type" : null;
  await using client = new IstiodClient({ settings: ztunnel(istiod), refuse });
  await client.until("the others", knows("web"));
  await eventually("the refusal at istiod", async () => {
    const [known] = await istiod.clients();
    return known?.watches[ADDRESS_TYPE]?.error === `${uid("far")}: unknown address type`;
  });
  await istiod.apply(pod({ name: "more", ip: "10.1.0.3" }));
  await client.until("the next pod", knows("more"));
  await allAcknowledged(istiod);
});

testWithIstiod({}, "istiod client: on demand, names are asked for once and answers kept", async () => {
  await using istiod = await Istiod.start({ objects: documents(OBJECTS, FAR) });
  const settings = { ...ztunnel(istiod), XDS_ON_DEMAND: "true", ISTIO_META_DNS_CAPTURE: "false" };
  await using client = new IstiodClient({ settings });
  await client.ready();
  await client.until("the node's own pod", knows("web"));
  assert.equal(knows("far")(client.state), false);
  assert.equal(client.state.service(HOST), null);

  assert.equal(await client.lookUp("/10.2.0.1"), "known");
  assert.equal(client.state.service(HOST)?.service.name, "web");
  assert.ok(knows("far")(client.state), "a service brings its workloads");
  assert.equal(await client.lookUp("/10.1.0.2"), "known");
  assert.equal(await client.lookUp("/10.9.9.9"), "absent");
  assert.equal(await client.lookUp("/10.9.9.9"), "absent", "without another question");
  const asked = client.lines.filter((line) => /received on demand request/.test(line));
  assert.equal(asked.filter((line) => line.includes("/10.9.9.9")).length, 1);

  // What appears later is not pushed, but found on the next stream.
  await istiod.apply(pod({ name: "late", ip: "10.9.9.9", node: "node-2" }));
  await istiod.drop();
  await client.line(/XDS client complete/);
  await eventually("the pod", async () => await client.lookUp("/10.9.9.9") === "known");
  assert.ok(knows("late")(client.state));
  assert.ok(client.state.service(HOST) !== null, "what was held is held again");
});

testWithIstiod(
  {},
  "istiod client: observed O3: on demand, the next pod of a service is found",
  async () => {
    await using istiod = await Istiod.start({ objects: documents(CLUSTER, FAR, SERVICE) });
    const settings = { ...ztunnel(istiod), XDS_ON_DEMAND: "true", ISTIO_META_DNS_CAPTURE: "false" };
    await using client = new IstiodClient({ settings, lookupLimits: EAGER });
    await client.ready();
    assert.equal(await client.lookUp("/10.2.0.1"), "known");
    assert.equal(client.state.service(HOST)?.endpoints.size, 1);
    await istiod.apply(pod({ name: "next", ip: "10.1.0.7", node: "node-2", labels: { app: "web" } }));
    await istiod.delete(reference("Pod", "far"));
    await client.until("the next pod", knows("next"));
    assert.deepEqual([...client.state.service(HOST)!.endpoints.keys()], [uid("next")]);
    await client.line(/reopening the stream to receive replacements/);
  },
);

testWithIstiod(
  {},
  "istiod client: observed O3: on demand, a service without pods is asked for until it has one",
  async () => {
    await using istiod = await Istiod.start({ objects: documents(CLUSTER, FAR, SERVICE) });
    const settings = { ...ztunnel(istiod), XDS_ON_DEMAND: "true", ISTIO_META_DNS_CAPTURE: "false" };
    await using client = new IstiodClient({ settings, lookupLimits: EAGER });
    await client.ready();
    assert.equal(await client.lookUp("/10.2.0.1"), "known");
    await istiod.delete(reference("Pod", "far"));
    await client.line(/reopening the stream to receive replacements/);
    await client.until("the service without a pod", (state) => state.service(HOST)?.endpoints.size === 0);
    // The stream has this already.
    await eventually(
      "the other stream",
      () => client.lines.filter((line) => /Stream established/.test(line)).length === 2,
    );
    await istiod.apply(FAR);
    await eventually("the pod, by asking for its service", async () => {
      assert.equal(await client.lookUp(HOST), "known");
      return knows("far")(client.state);
    });
    await client.line(/reopening the stream to request names again/);
  },
);

testWithIstiod(
  {},
  "istiod client: xds Q14: on demand a list that is too long is let go, and what is asked for comes back",
  async () => {
    const label = { app: "web" };
    const many = Array.from(
      { length: 60 },
      (_, n) => pod({ name: `far-${n}`, ip: `10.1.1.${n + 1}`, node: "node-2", labels: label }),
    );
    await using istiod = await Istiod.start({
      objects: documents(CLUSTER, WEB, SERVICE, ...many),
      env: { ISTIO_GPRC_MAXRECVMSGSIZE: "2000" },
    });
    const settings = { ...ztunnel(istiod), XDS_ON_DEMAND: "true", ISTIO_META_DNS_CAPTURE: "false" };
    await using client = new IstiodClient({ settings });
    await client.ready();
    assert.equal(await client.lookUp("/10.2.0.1"), "known");
    assert.equal(client.state.service(HOST)?.endpoints.size, 61);
    await istiod.drop();
    await client.line(/refuses the list of known resources as too long/);
    await client.until("the end of what nobody asked for", (state) => state.service(HOST) === null);
    assert.ok(knows("web")(client.state), "the node's own pod");
    assert.equal(await client.lookUp("/10.2.0.1"), "known");
    assert.equal(client.state.service(HOST)?.endpoints.size, 61);
  },
);

testWithIstiod({}, "istiod client: a token that istiod does not take is told with a hint, and read anew", async () => {
  await using istiod = await Istiod.start({ objects: OBJECTS });
  using folder = tempDir();
  const who = { namespace: "istio-system", serviceAccount: "ztunnel", pod: "ztunnel-1" };
  const file = folder.write("token", serviceAccountToken({ ...who, audience: "another" }));
  await using client = new IstiodClient({ settings: { ...ztunnel(istiod), AUTH_TOKEN: file } });
  await client.line(/Unauthenticated.*authentication failure.*check the control plane logs/);
  folder.write("token", serviceAccountToken(who));
  await client.ready();
});

testWithIstiod(
  {},
  "istiod client: a root that did not sign istiod's certificate is no root, until it is replaced",
  async () => {
    await using istiod = await Istiod.start({ objects: OBJECTS });
    await using stranger = await Istiod.start({ objects: CLUSTER });
    using folder = tempDir();
    const file = folder.write("root.pem", Deno.readTextFileSync(stranger.rootFile));
    await using client = new IstiodClient({ settings: { ...ztunnel(istiod), XDS_ROOT_CA: file } });
    await client.line(/XDS client connection error.*retrying/);
    assert.deepEqual(client.batches, []);
    folder.write("root.pem", Deno.readTextFileSync(istiod.rootFile));
    await client.ready();
  },
);

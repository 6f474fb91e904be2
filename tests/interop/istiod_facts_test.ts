/** Facts about istiod that our client depends on (`docs/spec/real-peers-istiod.md` 8), checked again. */
import { strict as assert } from "node:assert";
import { istio } from "../../testkit/gen/resources.js";
import type { envoy } from "../../proto/gen/xds.js";
import { Istiod, testWithIstiod } from "../../lab/istio/istiod.ts";
import { authorizationPolicy, CLUSTER, documents, pod, reference, service } from "../../lab/istio/istiod_objects.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, Probe } from "../../testkit/istio/istiod_probe.ts";
import { eventually } from "../../lab/eventually.ts";

type Response = envoy.service.discovery.v3.DeltaDiscoveryResponse;

const WEB = pod({ name: "web", ip: "10.1.0.1", ports: { http: 8080 } });
const FAR = pod({ name: "far", ip: "10.1.0.2", node: "node-2", labels: { app: "web" } });
const SERVICE = service({ name: "web", vip: "10.2.0.1", ports: { 80: "http" } });
const OBJECTS = documents(CLUSTER, WEB, FAR, SERVICE);
const WEB_UID = "Kubernetes//Pod/app/web", FAR_UID = "Kubernetes//Pod/app/far";
const HOST = "app/web.app.svc.cluster.local";

const names = ({ resources }: Response) => resources.map(({ name }) => name).sort();
const address = ({ resources }: Response, name: string) => {
  const found = resources.find((resource) => resource.name === name);
  assert.ok(found?.resource, `no ${name} in ${resources.map((resource) => resource.name)}`);
  return istio.workload.Address.decode(found.resource.value);
};

testWithIstiod({}, "istiod: a wildcard start brings all, one response for each type", async () => {
  await using istiod = await Istiod.start({ objects: OBJECTS });
  await using probe = new Probe({ target: istiod.plain });
  probe.begin(ADDRESS_TYPE);
  const addresses = await probe.next();
  const proxies = [1, 2].map((n) => `Kubernetes//Pod/istio-system/ztunnel-${n}`);
  assert.deepEqual(names(addresses), [FAR_UID, WEB_UID, ...proxies, HOST].sort());
  assert.deepEqual(addresses.removedResources, []);
  const { workload } = address(addresses, WEB_UID);
  assert.equal(workload?.tunnelProtocol, istio.workload.TunnelProtocol.HBONE);
  assert.deepEqual(workload?.services[HOST]?.ports.map(({ servicePort, targetPort }) => [servicePort, targetPort]), [
    [80, 8080],
  ]);
  assert.equal(address(addresses, HOST).service?.ports[0]?.targetPort, 0);

  probe.begin(AUTHORIZATION_TYPE);
  const policies = await probe.next();
  assert.equal(policies.typeUrl, AUTHORIZATION_TYPE);
  assert.deepEqual(policies.resources, [], "an empty set is answered, too");
});

testWithIstiod({}, "istiod: pods, services and policies appear and go as single changes", async () => {
  await using istiod = await Istiod.start({ objects: documents(CLUSTER, WEB) });
  await using probe = new Probe({ target: istiod.plain });
  probe.begin(ADDRESS_TYPE);
  await probe.next();
  probe.begin(AUTHORIZATION_TYPE);
  await probe.next();

  await istiod.apply(FAR);
  assert.deepEqual(names(await probe.next()), [FAR_UID]);
  await istiod.delete(reference("Pod", "far"));
  const gone = await probe.next();
  assert.deepEqual([gone.resources, gone.removedResources], [[], [FAR_UID]]);

  await istiod.apply(authorizationPolicy({ name: "all", action: "DENY", rules: [{}] }));
  const policy = await probe.next();
  assert.deepEqual([policy.typeUrl, names(policy)], [AUTHORIZATION_TYPE, ["app/all"]]);
  await istiod.delete(reference("AuthorizationPolicy", "all"));
  assert.deepEqual((await probe.next()).removedResources, ["app/all"]);
});

testWithIstiod({}, "istiod: a resumed stream gets what has changed and the policies, nothing else", async () => {
  const policy = authorizationPolicy({ name: "all", action: "DENY", rules: [{}] });
  await using istiod = await Istiod.start({ objects: documents(OBJECTS, policy), hostname: "127.78.1.1" });
  const versions: Record<string, string> = {};
  {
    await using probe = new Probe({ target: istiod.plain });
    probe.begin(ADDRESS_TYPE);
    for (const { name, version } of (await probe.next()).resources) versions[name] = version;
  }
  await istiod.stop();
  await istiod.restart();
  await istiod.apply(pod({ name: "web", ip: "10.1.0.1", ports: { http: 9090 } }));

  await using probe = new Probe({ target: istiod.plain });
  probe.begin(ADDRESS_TYPE, { initialResourceVersions: { ...versions, "Kubernetes//Pod/app/unknown": "1" } });
  const changed: string[] = [], removed: string[] = [];
  // istiod may answer before it has seen the change.
  while (changed.length === 0) {
    const response = await probe.next();
    changed.push(...names(response));
    removed.push(...response.removedResources);
  }
  assert.deepEqual([changed, removed], [[WEB_UID], ["Kubernetes//Pod/app/unknown"]]);
  probe.begin(AUTHORIZATION_TYPE, { initialResourceVersions: { "app/all": "" } });
  assert.deepEqual(names(await probe.next()), ["app/all"]);
});

testWithIstiod({}, "istiod: a refusal is remembered until something is accepted; nothing is sent again", async () => {
  await using istiod = await Istiod.start({ objects: OBJECTS });
  await using probe = new Probe({ target: istiod.plain });
  probe.begin(ADDRESS_TYPE);
  const first = await probe.take();
  probe.send({ typeUrl: ADDRESS_TYPE, responseNonce: first.nonce, errorDetail: { message: "cannot use this" } });
  const watch = async () => (await istiod.clients())[0]?.watches[ADDRESS_TYPE];
  await eventually("the refusal", async () => (await watch())?.error === "cannot use this");
  await istiod.apply(pod({ name: "more", ip: "10.1.0.3" }));
  const second = await probe.take();
  assert.deepEqual(names(second), ["Kubernetes//Pod/app/more"]);
  assert.equal((await watch())?.error, "cannot use this");
  probe.send({ typeUrl: ADDRESS_TYPE, responseNonce: second.nonce });
  await eventually("the end of the refusal", async () => (await watch())?.error === "");
});

testWithIstiod({}, "istiod: a new selector policy comes after the workloads that name it", async () => {
  await using istiod = await Istiod.start({ objects: OBJECTS, debounce: "100ms" });
  await using probe = new Probe({ target: istiod.plain });
  probe.begin(ADDRESS_TYPE);
  await probe.next();
  probe.begin(AUTHORIZATION_TYPE);
  await probe.next();
  await istiod.apply(authorizationPolicy({ name: "web-only", app: "web" }));
  const [first, second] = [await probe.next(), await probe.next()];
  assert.deepEqual([first.typeUrl, second.typeUrl], [ADDRESS_TYPE, AUTHORIZATION_TYPE]);
  assert.deepEqual(address(first, WEB_UID).workload?.authorizationPolicies, ["app/web-only"]);
  assert.deepEqual(names(second), ["app/web-only"]);
});

testWithIstiod({}, "istiod: on demand, the node's own pods come first, with their addresses as aliases", async () => {
  await using istiod = await Istiod.start({ objects: OBJECTS });
  await using probe = new Probe({ target: istiod.plain });
  probe.begin(ADDRESS_TYPE, { resourceNamesSubscribe: ["*"], resourceNamesUnsubscribe: ["*"] });
  const first = await probe.next();
  assert.deepEqual(names(first), [WEB_UID, "Kubernetes//Pod/istio-system/ztunnel-1"]);
  assert.deepEqual(first.resources.find(({ name }) => name === WEB_UID)?.aliases, ["/10.1.0.1"]);

  probe.send({ typeUrl: ADDRESS_TYPE, resourceNamesSubscribe: ["/10.2.0.1"] });
  const service = await probe.next();
  assert.ok(names(service).includes(HOST) && names(service).includes(FAR_UID), names(service).join());

  // Two requests get one response: istiod then counts the name as subscribed.
  probe.send({ typeUrl: ADDRESS_TYPE, resourceNamesSubscribe: ["/10.9.9.9"] });
  assert.deepEqual((await probe.next()).removedResources, ["/10.9.9.9"]);
  probe.send({ typeUrl: ADDRESS_TYPE, resourceNamesSubscribe: ["/10.9.9.9"] });
  probe.send({ typeUrl: ADDRESS_TYPE, resourceNamesSubscribe: ["/10.9.9.8"] });
  assert.deepEqual((await probe.next()).removedResources, ["/10.9.9.8"]);
});

testWithIstiod({}, "istiod: a stream that istiod ends has status OK", async () => {
  await using istiod = await Istiod.start({ objects: OBJECTS });
  await using probe = new Probe({ target: istiod.plain });
  probe.begin(ADDRESS_TYPE);
  await probe.next();
  assert.equal(await istiod.drop(), 1);
  assert.equal((await probe.ended()).code, 0);
});

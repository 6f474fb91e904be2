/** Policies of every kind: Kubernetes objects, and what the proxy makes of istiod's resources for them. */
import { strict as assert } from "node:assert";
import { EMPTY_MATCH, type Match, type Policy, type StringMatch } from "../../src/mesh/model/model.ts";
import { authorize } from "../../src/mesh/policy/authorize.ts";
import { parseSpiffeId, type SpiffeId } from "../../src/identity/spiffe_id.ts";
import { parseSocketAddress, type SocketAddress } from "../../src/net/address.ts";
import { Istiod, testWithIstiod } from "../../lab/istio/istiod.ts";
import { readMesh } from "../../testkit/istio/istiod_mesh.ts";
import { CLUSTER, documents, namespace, pod } from "../../lab/istio/istiod_objects.ts";

const WEB = pod({ name: "web", ip: "10.1.0.1" }), OTHER = pod({ name: "other", ip: "10.1.0.2" });
const WEB_UID = "Kubernetes//Pod/app/web", OTHER_UID = "Kubernetes//Pod/app/other";
const OBJECTS = documents(CLUSTER, namespace("prod"), WEB, OTHER);

const exact = (value: string): StringMatch => ({ kind: "Exact", value });
const match = (fields: Partial<Match>): Match => ({ ...EMPTY_MATCH, ...fields });

/** What results from the objects: policies by key, and those that each of the two pods references. */
async function understood(...objects: readonly string[]): Promise<{
  readonly policies: ReadonlyMap<string, Policy>;
  readonly web: readonly string[];
  readonly other: readonly string[];
  /** Whether this client may connect to this port of web. */
  readonly calls: (port: number, identity: SpiffeId | null) => boolean;
}> {
  await using istiod = await Istiod.start({ objects: documents(OBJECTS, ...objects) });
  const { policies, workloads, state } = await readMesh(istiod);
  const selected = (uid: string) => workloads.get(uid)?.workload.authorizationPolicies ?? [];
  const destination = workloads.get(WEB_UID)?.workload;
  assert.ok(destination);
  const calls = (port: number, identity: SpiffeId | null) => {
    const call = {
      destination,
      identity,
      source: socketAddress("10.1.0.9:40000"),
      target: socketAddress(`10.1.0.1:${port}`),
    };
    return authorize(state, call).allow;
  };
  return { policies, web: selected(WEB_UID), other: selected(OTHER_UID), calls };
}

function policyYaml(name: string, spec: string, where = "app", annotations = "{}"): string {
  return `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ${name}, namespace: ${where}, annotations: ${annotations}}
spec:
${spec}`;
}

testWithIstiod({}, "istiod policies: a selector, a namespace and the whole mesh", async () => {
  const anybody = "  rules: [{}]";
  const { policies, web, other } = await understood(
    policyYaml("selected", `  selector: {matchLabels: {app: web}}\n${anybody}`),
    policyYaml("everywhere-here", anybody),
    policyYaml("mesh", anybody, "istio-system"),
    policyYaml("elsewhere", anybody, "prod"),
  );
  assert.deepEqual(
    new Map([...policies].map(([key, { scope, action }]) => [key, `${scope} ${action}`])),
    new Map([
      ["app/selected", "WorkloadSelector Allow"],
      ["app/everywhere-here", "Namespace Allow"],
      ["istio-system/mesh", "Global Allow"],
      ["prod/elsewhere", "Namespace Allow"],
    ]),
  );
  assert.deepEqual([web, other], [["app/selected"], []]);
});

testWithIstiod({}, "istiod policies: every condition a proxy without HTTP can judge", async () => {
  const { policies } = await understood(policyYaml(
    "all",
    `
  action: DENY
  rules:
  - from:
    - source:
        principals: ["cluster.local/ns/a/sa/b", "*/sa/c", "cluster.local/ns/d/*", "*"]
        notPrincipals: ["cluster.local/ns/a/sa/e"]
        namespaces: ["x"]
        notNamespaces: ["y-*"]
        ipBlocks: ["10.0.0.0/8", "2001:db8::/32"]
        notIpBlocks: ["10.1.1.1"]
    - source: {serviceAccounts: ["far/away", "here"], namespaces: ["z"]}
    to:
    - operation: {ports: ["80", "8080"], notPorts: ["9090"]}
    when:
    - {key: destination.ip, values: ["10.2.0.0/16"], notValues: ["10.2.3.4"]}
    - {key: destination.port, values: ["80"]}
    - {key: source.namespace, notValues: ["w"]}
`,
  ));
  const [rule, ...more] = policies.get("app/all")?.rules ?? [];
  assert.deepEqual(more, []);
  const clauses = new Set(rule?.map((clause) => JSON.stringify(clause.map(onlySet))));
  assert.deepEqual(
    clauses,
    new Set([
      [
        {
          principals: [exact("cluster.local/ns/a/sa/b"), { kind: "Suffix", value: "/sa/c" }, {
            kind: "Prefix",
            value: "cluster.local/ns/d/",
          }, { kind: "Presence" }],
          notPrincipals: [exact("cluster.local/ns/a/sa/e")],
          namespaces: [exact("x")],
          notNamespaces: [{ kind: "Prefix", value: "y-" }],
          sourceIps: ["10.0.0.0/8", "2001:db8::/32"],
          notSourceIps: ["10.1.1.1/32"],
        },
        {
          serviceAccounts: [{ namespace: "far", serviceAccount: "away" }, { namespace: "app", serviceAccount: "here" }],
          namespaces: [exact("z")],
        },
      ],
      [{ destinationPorts: [80, 8080], notDestinationPorts: [9090] }],
      [{ destinationIps: ["10.2.0.0/16"], notDestinationIps: ["10.2.3.4/32"] }],
      [{ destinationPorts: [80] }],
      [{ notNamespaces: [exact("w")] }],
    ].map((clause) => JSON.stringify(clause.map((fields) => onlySet(match(fields as Partial<Match>)))))),
  );
});

testWithIstiod(
  {},
  "istiod policies: conditions on HTTP leave an ALLOW without that rule, a DENY without effect",
  async () => {
    const http = `
  rules:
  - to:
    - operation: {methods: ["GET"]}`;
    const mixed = `
  rules:
  - to:
    - operation: {methods: ["GET"], ports: ["80"]}`;
    const { policies } = await understood(
      policyYaml("allow-http", `  action: ALLOW${http}`),
      policyYaml("deny-http", `  action: DENY${http}`),
      policyYaml("deny-mixed", `  action: DENY${mixed}`),
      policyYaml("allow-nobody", "  action: ALLOW"),
    );
    assert.deepEqual(policies.get("app/allow-http")?.rules, []);
    assert.deepEqual(policies.get("app/allow-nobody")?.rules, []);
    assert.deepEqual(policies.get("app/deny-http")?.rules, [[[EMPTY_MATCH]]]);
    assert.deepEqual(policies.get("app/deny-mixed")?.rules, [[[match({ destinationPorts: [80] })]]]);
  },
);

testWithIstiod(
  {},
  "istiod policies: dry runs come marked; what is for waypoints or other programs does not come",
  async () => {
    const { policies } = await understood(
      policyYaml("dry", "  action: DENY\n  rules: [{}]", "app", '{istio.io/dry-run: "true"}'),
      policyYaml("audit", "  action: AUDIT\n  rules: [{}]"),
      policyYaml("custom", "  action: CUSTOM\n  provider: {name: opa}\n  rules: [{}]"),
      policyYaml("waypoint", "  targetRefs: [{kind: Service, name: web, group: ''}]\n  rules: [{}]"),
    );
    assert.deepEqual([...policies.keys()], ["app/dry"]);
    assert.equal(policies.get("app/dry")?.dryRun, true);
  },
);

function peerAuthentication(name: string, spec: string, where = "app"): string {
  return `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: ${name}, namespace: ${where}}
spec: ${spec}`;
}

const STATIC = "istio-system/istio_converted_static_strict";
const WITHOUT_IDENTITY = match({ notPrincipals: [{ kind: "Presence" }] });

testWithIstiod({}, "istiod policies: PeerAuthentication for the mesh, with an exception for a namespace", async () => {
  const mesh = peerAuthentication("mesh", "{mtls: {mode: STRICT}}", "istio-system");
  const strict = await understood(mesh);
  assert.deepEqual(strict.policies.get(STATIC)?.rules, [[[WITHOUT_IDENTITY]]]);
  assert.equal(strict.policies.get(STATIC)?.action, "Deny");
  assert.deepEqual([strict.web, strict.other], [[STATIC], [STATIC]]);

  const permissive = await understood(mesh, peerAuthentication("here", "{mtls: {mode: PERMISSIVE}}"));
  assert.deepEqual([permissive.web, permissive.other], [[], []]);
});

const CONVERTED = "app/converted_peer_authentication_web";

for (
  const { id, mesh, spec, selected, plain9090, plain8080 } of [
    { id: "X272", spec: "mtls: {mode: STRICT}", selected: STATIC, plain9090: false, plain8080: false },
    {
      id: "X273",
      spec: 'mtls: {mode: STRICT}, portLevelMtls: {"9090": {mode: PERMISSIVE}}',
      selected: CONVERTED,
      plain9090: true,
      plain8080: false,
    },
    {
      id: "X274",
      spec: 'mtls: {mode: STRICT}, portLevelMtls: {"9090": {mode: STRICT}, "8080": {mode: PERMISSIVE}}',
      selected: CONVERTED,
      plain9090: false,
      plain8080: true,
    },
    {
      id: "X275",
      spec: 'mtls: {mode: PERMISSIVE}, portLevelMtls: {"9090": {mode: STRICT}}',
      selected: CONVERTED,
      plain9090: false,
      plain8080: true,
    },
    {
      id: "X276",
      mesh: "PERMISSIVE",
      spec: 'portLevelMtls: {"9090": {mode: STRICT}, "8080": {mode: STRICT}}',
      selected: CONVERTED,
      plain9090: false,
      plain8080: false,
    },
    {
      id: "X277",
      mesh: "STRICT",
      spec: 'mtls: {mode: UNSET}, portLevelMtls: {"9090": {mode: PERMISSIVE}, "8080": {mode: STRICT}}',
      selected: CONVERTED,
      plain9090: true,
      plain8080: false,
    },
  ]
) {
  testWithIstiod({}, `istiod policies: xds ${id}: PeerAuthentication ${spec}`, async () => {
    const { web, calls } = await understood(
      ...mesh === undefined ? [] : [peerAuthentication("mesh", `{mtls: {mode: ${mesh}}}`, "istio-system")],
      peerAuthentication("web", `{selector: {matchLabels: {app: web}}, ${spec}}`),
    );
    assert.deepEqual(web, [selected]);
    assert.deepEqual([calls(9090, null), calls(8080, null)], [plain9090, plain8080]);
    for (const port of [9090, 8080]) assert.ok(calls(port, parseSpiffeId("spiffe://cluster.local/ns/app/sa/other")));
  });
}

function socketAddress(text: string): SocketAddress {
  const address = parseSocketAddress(text);
  assert.ok(address);
  return address;
}

/** The fields that are not empty, sorted by name. */
function onlySet(of: Match): Partial<Match> {
  const set = Object.entries(of).filter(([, values]) => values.length > 0).sort(([a], [b]) => a < b ? -1 : 1);
  return Object.fromEntries(set);
}

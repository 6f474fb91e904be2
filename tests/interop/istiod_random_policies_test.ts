/**
 * What `ztunnel simulate` makes of Istio's policies, compared with istiod, for random policies: 1,000 that are valid, and some
 * that are not. `istioctl validate` makes the checks of istiod's webhook, istiod itself translates.
 */
import { strict as assert } from "node:assert";
import { ConfigError } from "../../src/config/error.ts";
import type { AuthorizationPolicy, IstioObject, PeerAuthentication } from "../../src/mesh/istio_policies/objects.ts";
import { convert, outerModes, strictKey, strictPolicy } from "../../src/mesh/istio_policies/peer_policies.ts";
import { readObjects } from "../../src/mesh/istio_policies/read.ts";
import { referencesOf } from "../../src/mesh/istio_policies/references.ts";
import { keyOfPolicy, type Policy, type PolicyKey } from "../../src/mesh/model/model.ts";
import { authorize } from "../../src/mesh/policy/authorize.ts";
import { MeshState } from "../../src/mesh/state/state.ts";
import { parseSocketAddress } from "../../src/net/address.ts";
import { parseSpiffeId } from "../../src/identity/spiffe_id.ts";
import { Istiod, testWithIstiod } from "../../lab/istio/istiod.ts";
import { CLUSTER, documents, namespace, pod } from "../../lab/istio/istiod_objects.ts";
import { tempDir } from "../../lab/temp_dir.ts";
import { readMesh } from "../../testkit/istio/istiod_mesh.ts";
import { refusedByIstioctl, testWithIstioctl } from "../../testkit/istio/istioctl.ts";
import { RANDOM_NAMESPACES, type RandomObject, randomPolicies } from "../../testkit/istio/random_policies.ts";

const ROOT = "istio-system";
const POLICIES = randomPolicies({ authorization: 1_300, peer: 400 }, 20_261_201);

testWithIstioctl("istioctl: refuses the random policies that simulate refuses", async () => {
  using folder = tempDir("policies-");
  const file = folder.write("policies.yaml", documents(...POLICIES.map((object) => JSON.stringify(object))));
  let refused = 0;
  for (const kind of ["AuthorizationPolicy", "PeerAuthentication"]) {
    const theirs = await refusedByIstioctl(kind, file);
    for (const object of POLICIES.filter((each) => each.kind === kind)) {
      const { namespace, name } = object.metadata;
      const ours = mistakeIn(object), reason = theirs.get(`${namespace}/${name}`) ?? null;
      assert.equal(ours !== null, reason !== null, `${JSON.stringify(object)}: ours ${ours}, istioctl's ${reason}`);
      if (ours !== null) refused++;
    }
  }
  assert.ok(refused > 100 && refused < POLICIES.length - 1_000, `${refused} of ${POLICIES.length} are refused`);
});

/** The pods of a namespace: every selector of the random policies selects some and not others. */
const PODS = [
  { name: "web", labels: { app: "web", version: "v1" } },
  { name: "other", labels: { app: "other", version: "v2" } },
  { name: "plain", labels: { app: "plain" } },
];

for (const mesh of ["none", "STRICT", "PERMISSIVE"]) {
  testWithIstiod(
    {},
    `istiod random policies: mode of the mesh ${mesh}: the same policies, references and decisions`,
    async () => {
      const meshMode = {
        apiVersion: "security.istio.io/v1",
        kind: "PeerAuthentication",
        metadata: { name: "a-mesh", namespace: ROOT },
        spec: { mtls: { mode: mesh } },
      };
      const valid = POLICIES.filter((object) => mistakeIn(object) === null && !isOuterOfRoot(object));
      const objects = mesh === "none" ? valid : [meshMode, ...valid];
      const texts = objects.map((object) => JSON.stringify(object));
      const pods = RANDOM_NAMESPACES.slice(1).flatMap((where, n) =>
        PODS.map(({ name, labels }, i) => pod({ name, namespace: where, ip: `10.1.${n}.${i + 1}`, labels }))
      );
      const namespaces = RANDOM_NAMESPACES.slice(1).map((name) => namespace(name));
      await using istiod = await Istiod.start({ objects: documents(CLUSTER, ...namespaces, ...pods, ...texts) });
      const { policies, workloads, state } = await readMesh(istiod);

      const read = [...readObjects(texts.join("\n---\n"), "policies", ROOT)].flat();
      const ours = translated(read);
      assert.deepEqual(new Set(ours.keys()), new Set(policies.keys()));
      for (const [key, policy] of ours) assert.deepEqual(policy, policies.get(key), key);

      const again = new MeshState("node-1");
      // In istiod's order, as the first policy that matches is named.
      again.apply(
        [...policies.keys()].map((key) => ({ kind: "policy", key: key as PolicyKey, policy: ours.get(key)! })),
      );
      let allowed = 0, denied = 0;
      for (const { workload } of workloads.values()) {
        const labels = PODS.find(({ name }) => name === workload.name)?.labels;
        if (labels === undefined) continue;
        const references = referencesOf(
          ofKind(read, "AuthorizationPolicy"),
          ofKind(read, "PeerAuthentication"),
          workload.namespace,
          labels,
          ROOT,
        );
        assert.deepEqual(references, workload.authorizationPolicies, workload.uid);
        for (const call of CALLS) {
          const theirs = authorize(state, { ...call, destination: workload });
          const own = authorize(again, { ...call, destination: { ...workload, authorizationPolicies: references } });
          assert.deepEqual([own.allow, own.message], [theirs.allow, theirs.message], workload.uid);
          if (own.allow) allowed++;
          else denied++;
        }
      }
      assert.equal(allowed + denied, PODS.length * (RANDOM_NAMESPACES.length - 1) * CALLS.length);
      assert.ok(allowed > 500 && denied > 500, `${allowed} are allowed and ${denied} denied`);
    },
  );
}

const CALLS = ["ns-1/sa/web", "ns-2/sa/web", "ns-2/sa/other", "x/sa/y", null].flatMap((account) =>
  ["10.1.2.3:1", "192.0.2.1:1", "[2001:db8::1]:1", "[fd00::1]:1"].flatMap((from) =>
    ["10.0.0.1:80", "10.0.0.1:8080", "[fd00::a]:443", "10.0.0.1:9090"].map((to) => ({
      source: parseSocketAddress(from)!,
      target: parseSocketAddress(to)!,
      identity: account === null ? null : parseSpiffeId(`spiffe://cluster.local/ns/${account}`),
    }))
  )
);

/** What istiod sends for these objects. */
function translated(objects: readonly IstioObject[]): ReadonlyMap<string, Policy> {
  const authentications = ofKind(objects, "PeerAuthentication");
  const policies: (Policy | null)[] = ofKind(objects, "AuthorizationPolicy").map(({ policy }) => policy);
  for (const each of authentications) {
    policies.push(convert(each, outerModes(authentications, each.namespace, ROOT), ROOT));
  }
  const found = new Map(policies.flatMap((policy) => policy === null ? [] : [[keyOfPolicy(policy), policy]]));
  if (authentications.length > 0) found.set(strictKey(ROOT), strictPolicy(ROOT));
  return found;
}

function ofKind<K extends "AuthorizationPolicy" | "PeerAuthentication">(objects: readonly IstioObject[], kind: K) {
  return objects.filter((object) =>
    object.kind === kind
  ) as (K extends "AuthorizationPolicy" ? AuthorizationPolicy : PeerAuthentication)[];
}

/** Null: the object is valid. */
function mistakeIn(object: RandomObject): string | null {
  try {
    [...readObjects(JSON.stringify(object), "policies", ROOT)];
    return null;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message;
  }
}

/** Each run brings its own mode for the mesh. */
function isOuterOfRoot({ kind, metadata: { namespace }, spec }: RandomObject): boolean {
  return kind === "PeerAuthentication" && namespace === ROOT &&
    (spec as { selector?: unknown })?.selector === undefined;
}

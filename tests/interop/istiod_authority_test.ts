/** What istiod requires of clients that request configuration and certificates. */
import { strict as assert } from "node:assert";
import { X509Certificate } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { Istiod, testWithIstiod } from "../../lab/istio/istiod.ts";
import { CLUSTER, documents, pod, reference } from "../../lab/istio/istiod_objects.ts";
import { ADDRESS_TYPE, Probe, type ProbeOptions, requestCertificate } from "../../testkit/istio/istiod_probe.ts";
import { podUidOf, serviceAccountToken, type TokenOf } from "../../lab/istio/istiod_token.ts";
import { run } from "../../lab/program.ts";
import { tempDir } from "../../lab/temp_dir.ts";

const OBJECTS = documents(
  CLUSTER,
  pod({ name: "web", ip: "10.1.0.1" }),
  pod({ name: "far", ip: "10.1.0.2", node: "node-2" }),
);
const PROXY: TokenOf = { namespace: "istio-system", serviceAccount: "ztunnel", pod: "ztunnel-1" };
const WEB = "spiffe://cluster.local/ns/app/sa/web", FAR = "spiffe://cluster.local/ns/app/sa/far";
const NEEDS = { packages: ["openssl"] } as const;

function secure(istiod: Istiod, token: TokenOf): ProbeOptions {
  return { target: istiod.secure, rootFile: istiod.rootFile, token: serviceAccountToken(token) };
}

/** A request for a certificate without any name in it: istiod takes the name from elsewhere. */
async function newCsr(): Promise<string> {
  using folder = tempDir();
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await run(
    "openssl",
    "req",
    "-new",
    ...key,
    "-keyout",
    `${folder.path}/key`,
    "-out",
    `${folder.path}/csr`,
    "-subj",
    "/",
  );
  return await Deno.readTextFile(`${folder.path}/csr`);
}

async function streamWith(options: ProbeOptions, podNamespace?: string): Promise<status> {
  await using probe = new Probe(options);
  const fields = { NAMESPACE: { stringValue: podNamespace ?? "istio-system" } };
  probe.begin(ADDRESS_TYPE, { node: { id: "ztunnel~192.0.2.1~ztunnel-1.istio-system~x", metadata: { fields } } });
  return await Promise.race([probe.take().then(() => status.OK), probe.ended().then(({ code }) => code)]);
}

testWithIstiod(
  {},
  "istiod: the secure port wants the token of a pod that exists, for istio-ca, in its time",
  async () => {
    await using istiod = await Istiod.start({ objects: OBJECTS });
    assert.equal(await streamWith(secure(istiod, PROXY)), status.OK);
    const { target, rootFile } = secure(istiod, PROXY);
    assert.equal(await streamWith({ target, ...rootFile !== undefined && { rootFile } }), status.UNAUTHENTICATED);
    for (
      const wrong of [
        { ...PROXY, expires: 1_700_000_000 },
        { ...PROXY, audience: "kubernetes" },
        { ...PROXY, pod: "ztunnel-9" },
        { ...PROXY, podUid: podUidOf("istio-system", "ztunnel-2") },
      ]
    ) assert.equal(await streamWith(secure(istiod, wrong)), status.UNAUTHENTICATED, JSON.stringify(wrong));
    assert.equal(await streamWith(secure(istiod, PROXY), "app"), status.PERMISSION_DENIED, "another namespace");
  },
);

testWithIstiod(NEEDS, "istiod: a proxy gets certificates for those who run on its node, no others", async () => {
  await using istiod = await Istiod.start({ objects: OBJECTS });
  const csr = await newCsr();
  const chain = await requestCertificate(secure(istiod, PROXY), { csr, impersonate: WEB });
  assert.ok(Array.isArray(chain), JSON.stringify(chain));
  const [leaf, root] = chain.map((pem) => new X509Certificate(pem));
  assert.equal(chain.length, 2);
  assert.equal(leaf?.subjectAltName, `URI:${WEB}`);
  assert.ok(leaf && root && leaf.verify(root.publicKey));
  assert.deepEqual(root.raw, new X509Certificate(await Deno.readTextFile(istiod.rootFile)).raw);

  for (
    const [who, impersonate] of [[PROXY, FAR], [{ namespace: "app", serviceAccount: "web", pod: "web" }, FAR]] as const
  ) {
    const refused = await requestCertificate(secure(istiod, who), { csr, impersonate });
    assert.deepEqual(refused, {
      code: status.UNAUTHENTICATED,
      details: "request impersonation authentication failure",
    });
  }
  await istiod.delete(reference("Pod", "web"));
  const gone = await requestCertificate(secure(istiod, PROXY), { csr, impersonate: WEB });
  assert.equal("code" in gone && gone.code, status.UNAUTHENTICATED);
});

testWithIstiod(
  NEEDS,
  "istiod: a pod gets a certificate of its own, of the life it asks for within a bound",
  async () => {
    await using istiod = await Istiod.start({ objects: OBJECTS });
    const who = secure(istiod, { namespace: "app", serviceAccount: "web", pod: "web" });
    const csr = await newCsr();
    const chain = await requestCertificate(who, { csr, lifetime: 600 });
    assert.ok(Array.isArray(chain), JSON.stringify(chain));
    const leaf = new X509Certificate(chain[0] ?? "");
    assert.equal(leaf.subjectAltName, `URI:${WEB}`);
    const life = leaf.validToDate.getTime() - leaf.validFromDate.getTime();
    assert.equal(life, (600 + 120) * 1000, "dated back by two minutes");
    const tooLong = await requestCertificate(who, { csr, lifetime: 91 * 86_400 });
    assert.equal("code" in tooLong && tooLong.code, status.INVALID_ARGUMENT);
  },
);

testWithIstiod(NEEDS, "istiod: after a restart the root is the same and the port too", async () => {
  await using istiod = await Istiod.start({ objects: OBJECTS, hostname: "127.78.1.2" });
  const root = await Deno.readTextFile(istiod.rootFile);
  const place = istiod.secure;
  await istiod.stop();
  await istiod.restart();
  assert.equal(await Deno.readTextFile(istiod.rootFile), root);
  assert.equal(istiod.secure, place);
  const chain = await requestCertificate(secure(istiod, PROXY), { csr: await newCsr(), impersonate: WEB });
  assert.ok(Array.isArray(chain), JSON.stringify(chain));
});

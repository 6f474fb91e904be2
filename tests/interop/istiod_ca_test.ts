/** The proxy's client of Istio's CA with the CA of a real istiod. */
import { strict as assert } from "node:assert";
import { IstioAuthority } from "../../src/authorities/istio/istio_authority.ts";
import { openChannel } from "../../src/grpc/open_channel.ts";
import { namedServer } from "../../src/grpc/server_trust.ts";
import { parseTarget } from "../../src/grpc/target.ts";
import { CertificateError } from "../../src/identity/authority.ts";
import { certificateAuthorityContract } from "../../src/identity/testkit/authority_contract.ts";
import { isMalformed, parseCertificate } from "../../src/identity/certificate.ts";
import { parseSpiffeId, type SpiffeId } from "../../src/identity/spiffe_id.ts";
import { hasIstiod, Istiod, testWithIstiod } from "../../lab/istio/istiod.ts";
import { CLUSTER, documents, pod, reference } from "../../lab/istio/istiod_objects.ts";
import { serviceAccountToken, type TokenOf } from "../../lab/istio/istiod_token.ts";

const HOUR = 3_600_000;
const OBJECTS = documents(
  CLUSTER,
  pod({ name: "web", ip: "10.1.0.1" }),
  pod({ name: "api", ip: "10.1.0.2" }),
  pod({ name: "far", ip: "10.1.0.3", node: "node-2" }),
);
const PROXY: TokenOf = { namespace: "istio-system", serviceAccount: "ztunnel", pod: "ztunnel-1" };

const subject = (account: string) => ({ id: idOf(account), workloadUid: null });

function idOf(account: string): SpiffeId {
  const id = parseSpiffeId(`spiffe://cluster.local/ns/app/sa/${account}`);
  assert.ok(id);
  return id;
}

function authorityOf(istiod: Istiod, options: { readonly token?: string; readonly lifetime?: number } = {}) {
  const { token = serviceAccountToken(PROXY), lifetime = 24 * HOUR } = options;
  const target = parseTarget(`https://${istiod.secure}`);
  assert.ok(target);
  const channel = openChannel({
    target,
    security: namedServer(target, {
      roots: { kind: "file", path: istiod.rootFile },
      alternativeHostname: "istiod.istio-system.svc",
      tls12: false,
      settings: { roots: "CA_ROOT_CA", alternativeHostname: "ALT_CA_HOSTNAME" },
    }),
    headers: [],
    token: { source: { kind: "literal", token }, clusterId: "Kubernetes" },
  });
  return new IstioAuthority({ channel, lifetime, impersonate: true, now: Date.now, warn: assert.fail });
}

if (hasIstiod()) {
  certificateAuthorityContract("istiod CA", async () => {
    const istiod = await Istiod.start({ objects: OBJECTS });
    return {
      authority: authorityOf(istiod),
      subjects: [subject("web"), subject("api")],
      refused: subject("far"),
      now: Date.now,
      tearDown: () => istiod[Symbol.asyncDispose](),
    };
  });
} else testWithIstiod({}, "istiod CA: the contract of authorities", () => {});

async function problem(fetching: Promise<unknown>): Promise<string> {
  const error = await fetching.then(() => null, (error) => error);
  assert.ok(error instanceof CertificateError, `${error}`);
  return error.message;
}

const signal = new AbortController().signal;

testWithIstiod(
  {},
  "istiod CA: the life that was asked for, in a certificate of the shape that peers want",
  async () => {
    await using istiod = await Istiod.start({ objects: OBJECTS });
    const authority = authorityOf(istiod, { lifetime: HOUR });
    const began = Date.now();
    const issued = await authority.fetch(subject("web"), signal);
    authority.close();
    assert.ok(issued.notAfter >= began - 1000 + HOUR && issued.notAfter <= Date.now() + 1000 + HOUR);
    const [leaf, ...more] = issued.chain.map(parseCertificate);
    assert.deepEqual(more, [], "the root is an anchor, not part of the chain");
    assert.ok(leaf && !isMalformed(leaf));
    assert.deepEqual(leaf.uris, [idOf("web")]);
  },
);

testWithIstiod(
  {},
  "istiod CA: who runs elsewhere or has gone gets nothing, and the proxy says what istiod said",
  async () => {
    await using istiod = await Istiod.start({ objects: OBJECTS });
    const authority = authorityOf(istiod);
    const refusal =
      /signing gRPC error \(.*authentication credentials\): .*request impersonation authentication failure/;
    assert.match(await problem(authority.fetch(subject("far"), signal)), refusal);
    await istiod.delete(reference("Pod", "web"));
    assert.match(await problem(authority.fetch(subject("web"), signal)), refusal);
    await authority.fetch(subject("api"), signal);
    authority.close();
  },
);

testWithIstiod({}, "istiod CA: a token for another audience, and a life that is too long", async () => {
  await using istiod = await Istiod.start({ objects: OBJECTS });
  const stranger = authorityOf(istiod, { token: serviceAccountToken({ ...PROXY, audience: "another" }) });
  assert.match(await problem(stranger.fetch(subject("web"), signal)), /request authenticate failure/);
  stranger.close();
  const eternal = authorityOf(istiod, { lifetime: 91 * 24 * HOUR });
  assert.match(
    await problem(eternal.fetch(subject("web"), signal)),
    /requested TTL .* is greater than the max allowed/,
  );
  eternal.close();
});

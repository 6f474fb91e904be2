import { strict as assert } from "node:assert";
import type { ChannelOptions } from "../../grpc/channel.ts";
import { dnsName, serverIdentity, trustRoot, VALID_NOW } from "../../grpc/testkit/server.ts";
import { Code } from "../../grpc/status.ts";
import { parseTarget } from "../../grpc/target.ts";
import { namedServer } from "../../grpc/server_trust.ts";
import { CertificateError, type CertificateErrorCode } from "../../identity/authority.ts";
import { certificateAuthorityContract } from "../../identity/testkit/authority_contract.ts";
import { encodePem } from "../../identity/pem.ts";
import type { SpiffeId } from "../../identity/spiffe_id.ts";
import { HOUR, makeCa, newKey } from "../../identity/testkit/certificates.ts";
import { spkiOf } from "../../identity/local_ca.ts";
import { IstioAuthority, type IstioAuthorityOptions } from "./istio_authority.ts";
import {
  type CaCall,
  type CaResponse,
  channelToCa,
  issue,
  issueFor,
  pem,
  ScriptedCa,
  WORKLOAD_ROOT,
} from "../testkit/istio_ca.ts";

const ID = "spiffe://td/ns/ns1/sa/sa1" as SpiffeId, OTHER = "spiffe://td/ns/ns1/sa/sa2" as SpiffeId;
const DAY = 24 * HOUR;
const subject = (id: SpiffeId = ID) => ({ id, workloadUid: null });
const forever = new AbortController().signal;

interface Bench {
  readonly ca: ScriptedCa;
  readonly authority: IstioAuthority;
  readonly warnings: string[];
  fetch(id?: SpiffeId): ReturnType<IstioAuthority["fetch"]>;
}

async function withCa(
  body: (bench: Bench) => Promise<void>,
  channel: (ca: ScriptedCa) => Partial<ChannelOptions> = () => ({}),
  options: Partial<IstioAuthorityOptions> = {},
  identity = serverIdentity(),
): Promise<void> {
  await using ca = await ScriptedCa.start(identity);
  const warnings: string[] = [];
  const authority = new IstioAuthority({
    channel: channelToCa(ca, channel(ca)),
    lifetime: DAY,
    impersonate: true,
    now: Date.now,
    warn: (text) => warnings.push(text),
    ...options,
  });
  try {
    await body({ ca, authority, warnings, fetch: (id) => authority.fetch(subject(id), forever) });
  } finally {
    authority.close();
  }
}

certificateAuthorityContract("Istio CA", async () => {
  const ca = await ScriptedCa.start();
  ca.respond = (call) =>
    call.impersonated?.endsWith("/refused")
      ? { code: Code.Unauthenticated, details: "request impersonation authentication failure" }
      : issue(call);
  const authority = new IstioAuthority({
    channel: channelToCa(ca),
    lifetime: DAY,
    impersonate: true,
    now: Date.now,
    warn: () => {},
  });
  return {
    authority,
    subjects: [subject(), subject(OTHER)],
    refused: subject("spiffe://td/ns/ns1/sa/refused" as SpiffeId),
    now: Date.now,
    tearDown: () => ca[Symbol.asyncDispose](),
  };
});

Deno.test("Istio CA, identity A1 A14: the request in shared mode", () =>
  withCa(async ({ ca, fetch }) => {
    const issued = await fetch();
    const [{ csr, validityDuration, impersonated }] = ca.calls as [CaCall];
    assert.equal(impersonated, ID);
    assert.equal(validityDuration, 86_400);
    assert.deepEqual([csr.uri, csr.critical, csr.subjectIsEmpty, csr.signatureIsGood], [ID, true, true, true]);
    assert.equal(issued.id, ID);
    // Each request has a new key.
    await fetch();
    assert.notDeepEqual(ca.calls[1]!.csr.publicKey, csr.publicKey);
  }));

Deno.test("Istio CA, identity 3.4: the request in dedicated mode", () =>
  withCa(
    async ({ ca, fetch }) => {
      await fetch();
      assert.equal(ca.calls[0]!.impersonated, null);
      assert.equal(ca.calls[0]!.validityDuration, 90);
    },
    () => ({}),
    { impersonate: false, lifetime: 90_999 },
  ));

Deno.test("Istio CA, identity A5: in dedicated mode any id of the CA is accepted", () =>
  withCa(
    async ({ ca, fetch }) => {
      ca.respond = (call) => [pem(issueFor(call, { id: OTHER })), pem(WORKLOAD_ROOT.certificate)];
      const issued = await fetch();
      assert.equal(issued.id, ID);
    },
    () => ({}),
    { impersonate: false },
  ));

const intermediate = makeCa("intermediary", { ...VALID_NOW, issuer: WORKLOAD_ROOT });
const issuing = makeCa("istiod", { ...VALID_NOW, issuer: intermediate });
const otherRoot = makeCa("Other root", VALID_NOW);
const strange = pem(makeCa("x", VALID_NOW).certificate).replaceAll("CERTIFICATE", "X509 CRL");

const good: readonly [vector: string, respond: (call: CaCall) => CaResponse, chain: number, roots: number][] = [
  ["A1: leaf and root", issue, 1, 1],
  [
    "A7: two roots in the last element",
    (call) => [pem(issueFor(call)), pem(WORKLOAD_ROOT.certificate, otherRoot.certificate)],
    1,
    2,
  ],
  [
    "A8: leaf, two intermediates, root",
    (call) => [
      pem(issueFor(call, { issuer: issuing })),
      pem(issuing.certificate),
      pem(intermediate.certificate),
      pem(WORKLOAD_ROOT.certificate),
    ],
    3,
    1,
  ],
  [
    "observed O9: the root among the intermediates",
    (call) => [
      pem(issueFor(call, { issuer: intermediate })),
      pem(intermediate.certificate),
      pem(WORKLOAD_ROOT.certificate),
      pem(WORKLOAD_ROOT.certificate),
    ],
    2,
    1,
  ],
  [
    "3.5: of an intermediate element the first certificate counts",
    (call) => [
      pem(issueFor(call, { issuer: intermediate })),
      pem(intermediate.certificate, otherRoot.certificate),
      pem(WORKLOAD_ROOT.certificate),
    ],
    2,
    1,
  ],
];

for (const [vector, respond, chain, roots] of good) {
  Deno.test(`Istio CA, identity ${vector}`, () =>
    withCa(async ({ ca, authority, fetch }) => {
      ca.respond = respond;
      const issued = await fetch();
      assert.equal(issued.chain.length, chain);
      assert.equal(issued.bundles.anyTrustDomain.length, roots);
      assert.deepEqual(authority.bundles(), issued.bundles);
    }));
}

Deno.test("Istio CA, identity 3.5: malformed roots are ignored with a warning", () =>
  withCa(async ({ ca, fetch, warnings }) => {
    const broken = encodePem("CERTIFICATE", Uint8Array.of(48, 0));
    ca.respond = (call) => [pem(issueFor(call)), broken + pem(WORKLOAD_ROOT.certificate)];
    assert.equal((await fetch()).bundles.anyTrustDomain.length, 1);
    assert.deepEqual(warnings, ["found 1 invalid root certs"]);
  }));

const bad: readonly [
  vector: string,
  respond: (call: CaCall) => CaResponse,
  code: CertificateErrorCode,
  text: RegExp,
][] = [
  ["A2: nothing", () => [], "EMPTY_RESPONSE", /^chain returned from CA is empty for: spiffe:\/\/td\/ns\/ns1\/sa\/sa1$/],
  [
    "A3: a leaf alone",
    (call) => [pem(issueFor(call))],
    "SIGNING",
    /^failed to create CSR: invalid root certificate: no root certificate present$/,
  ],
  [
    "A4, S13: somebody else's, observed O12",
    (call) => [pem(issueFor(call, { id: OTHER })), pem(WORKLOAD_ROOT.certificate)],
    "SAN_MISMATCH",
    /^did not find expected SAN: spiffe:\/\/td\/ns\/ns1\/sa\/sa1$/,
  ],
  [
    "A6: PermissionDenied",
    () => ({ code: Code.PermissionDenied, details: "x" }),
    "SIGNING_REQUEST",
    /^signing gRPC error \(The caller does not have permission to execute the specified operation\): x$/,
  ],
  [
    "O11: Unauthenticated",
    () => ({ code: Code.Unauthenticated, details: "request authenticate failure" }),
    "SIGNING_REQUEST",
    /^signing gRPC error \(The request does not have valid authentication credentials\): request authenticate failure$/,
  ],
  [
    "S14: for another key",
    (call) => [pem(issueFor(call, { publicKey: spkiOf(newKey()) })), pem(WORKLOAD_ROOT.certificate)],
    "KEY_MISMATCH",
    /another key$/,
  ],
  [
    "S15: expired",
    (call) => [pem(issueFor(call, { notAfter: Date.now() - 1000 })), pem(WORKLOAD_ROOT.certificate)],
    "EXPIRED",
    /already expired/,
  ],
  [
    "3.5: under another root",
    (call) => [pem(issueFor(call)), pem(otherRoot.certificate)],
    "INVALID_CERTIFICATE",
    /from the CA cannot be used: its chain does not lead to the CA's own roots$/,
  ],
  [
    "3.5: without its intermediate",
    (call) => [pem(issueFor(call, { issuer: intermediate })), pem(WORKLOAD_ROOT.certificate)],
    "INVALID_CERTIFICATE",
    /does not lead to the CA's own roots$/,
  ],
  ["3.5: text in place of the leaf", () => ["leaf", pem(WORKLOAD_ROOT.certificate)], "SIGNING", /: no certificate$/],
  [
    "3.5: something else beside the roots",
    (call) => [pem(issueFor(call)), pem(WORKLOAD_ROOT.certificate) + strange],
    "SIGNING",
    /no certificate, but a PEM block X509 CRL$/,
  ],
  [
    "3.5: no root that can be read",
    (call) => [pem(issueFor(call)), encodePem("CERTIFICATE", Uint8Array.of(48, 0))],
    "SIGNING",
    /no root certificate present$/,
  ],
  [
    "S27: a chain longer than anybody needs",
    (
      call,
    ) => [pem(issueFor(call)), ...Array<string>(64).fill(pem(intermediate.certificate)), pem(otherRoot.certificate)],
    "SIGNING",
    /chain of 66 certificates is too long$/,
  ],
  [
    "S27: more than 10,000 roots",
    (call) => [pem(issueFor(call)), "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n".repeat(10_001)],
    "SIGNING",
    /more than 10000 blocks$/,
  ],
  [
    "S27: a message of more than 4 MB",
    (call) => [pem(issueFor(call)), "x".repeat(5 * 1024 * 1024)],
    "SIGNING_REQUEST",
    /^signing gRPC error \(Some resource has been exhausted\): /,
  ],
];

for (const [vector, respond, code, text] of bad) {
  Deno.test(`Istio CA refused, identity ${vector}`, () =>
    withCa(async ({ ca, authority, fetch }) => {
      ca.respond = respond;
      await assert.rejects(fetch(), (error) => {
        assert.ok(error instanceof CertificateError, String(error));
        assert.match(error.message, text);
        assert.equal(error.code, code);
        return true;
      });
      assert.equal(authority.bundles().anyTrustDomain.length, 0);
      // A later fetch succeeds.
      ca.respond = issue;
      assert.equal((await fetch()).id, ID);
    }));
}

Deno.test("Istio CA, identity 1.6: the CA is not reachable", () =>
  withCa(async ({ ca, fetch }) => {
    await ca[Symbol.asyncDispose]();
    await assert.rejects(fetch(), /^CertificateError: signing gRPC error \(.*\): .*127\.0\.0\.1|localhost/s);
  }));

Deno.test("Istio CA, identity A11 A12 A13: the server's name", async (t) => {
  const named = (alternativeHostname: string | null) => (ca: ScriptedCa) => {
    const target = parseTarget(`https://localhost:${ca.port}`)!;
    return { security: trustRoot(target, alternativeHostname) };
  };
  const server = (name: string) => serverIdentity(undefined, { names: [dnsName(name)] });
  const ok = async ({ fetch }: Bench) => void await fetch();
  await t.step("A11", () => withCa(ok, named("istiod.elsewhere"), {}, server("localhost")));
  await t.step("A12", () => withCa(ok, named("istiod.elsewhere"), {}, server("istiod.elsewhere")));
  await t.step("A13", () =>
    withCa(
      async ({ fetch }) => {
        await assert.rejects(fetch(), /signing gRPC error .*localhost.*istiod\.elsewhere/s);
      },
      named("istiod.elsewhere"),
      {},
      server("third.example"),
    ));
});

Deno.test("Istio CA, identity A9 A10, S32: the token is read for each call", async () => {
  const path = await Deno.makeTempFile();
  const token = { source: { kind: "file", path }, clusterId: "Kubernetes" } as const;
  try {
    await withCa(async ({ ca, fetch }) => {
      Deno.writeTextFileSync(path, "first\n");
      await fetch();
      Deno.writeTextFileSync(path, "second");
      await fetch();
      const sent = ca.calls.map(({ headers }) => [headers.authorization, headers["clusterid"]]);
      assert.deepEqual(sent, [["Bearer first", "Kubernetes"], ["Bearer second", "Kubernetes"]]);
      Deno.writeTextFileSync(path, "");
      await assert.rejects(fetch(), /token file exists, but was empty/);
      Deno.removeSync(path);
      await assert.rejects(fetch(), /cannot read token file/);
      assert.equal(ca.calls.length, 2);
    }, () => ({ token }));
  } finally {
    await Deno.remove(path).catch(() => {});
  }
});

Deno.test("Istio CA, identity A24: configured headers are sent", () =>
  withCa(async ({ ca, fetch }) => {
    await fetch();
    assert.deepEqual(ca.calls[0]!.headers["header_baz"], "baz");
  }, () => ({ headers: [["header_baz", "baz"]] })));

Deno.test("Istio CA, identity A18 A19: roots are read again when their file changes; unusable ones do not replace them", async () => {
  const path = await Deno.makeTempFile();
  const warnings: string[] = [];
  const next = makeCa("Next", VALID_NOW);
  const options = (ca: ScriptedCa) => {
    const target = parseTarget(`https://localhost:${ca.port}`)!;
    const settings = { roots: "CA_ROOT_CA", alternativeHostname: "ALT_CA_HOSTNAME" };
    const roots = { kind: "file", path } as const;
    const security = namedServer(target, { roots, alternativeHostname: null, tls12: false, settings });
    return { security, warn: (text: string) => void warnings.push(text) };
  };
  try {
    await withCa(
      async ({ fetch }) => {
        Deno.writeTextFileSync(path, pem(otherRoot.certificate));
        await assert.rejects(fetch(), /signing gRPC error .*no trusted root has issued/s);
        Deno.writeTextFileSync(path, pem(otherRoot.certificate, next.certificate));
        await fetch();
        Deno.writeTextFileSync(path, "garbage");
        await fetch();
        assert.match(warnings[0]!, /keeping the connection .*CA_ROOT_CA/s);
      },
      options,
      {},
      serverIdentity(next),
    );
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("Istio CA: an aborted fetch ends the call", () =>
  withCa(async ({ ca, authority }) => {
    ca.respond = () => "nothing";
    const abort = new AbortController();
    const fetching = authority.fetch(subject(), abort.signal);
    const reason = new Error("no longer needed");
    while (ca.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    abort.abort(reason);
    await assert.rejects(fetching, (error) => error === reason);
  }));

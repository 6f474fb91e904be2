import assert from "node:assert/strict";
import { tempDir } from "../../lab/temp_dir.ts";
import type { RootCertificates } from "../config/config.ts";
import { parseCertificate } from "../identity/certificate.ts";
import { encodePem } from "../identity/pem.ts";
import { makeCa } from "../identity/testkit/certificates.ts";
import type { Certificate } from "../identity/certificate.ts";
import { namedServer } from "./server_trust.ts";
import { GrpcError } from "./status.ts";
import { ROOT, ROOT_PEM, serverIdentity, targetOf } from "./testkit/server.ts";

const SETTINGS = { roots: "XDS_ROOT_CA", alternativeHostname: "ALT_XDS_HOSTNAME" };

function trust(roots: RootCertificates, url = "https://localhost:1", bundles: readonly string[] = []) {
  const options = { roots, alternativeHostname: null, tls12: false, settings: SETTINGS };
  return namedServer(targetOf(url), options, bundles);
}

const OTHER_PEM = encodePem("CERTIFICATE", makeCa("Other").certificate);
const BROKEN_PEM = encodePem("CERTIFICATE", Uint8Array.of(1, 2, 3));

const texts: readonly [what: string, pem: string, anchors: number][] = [
  ["one root", ROOT_PEM, 1],
  ["two roots, other text and a key", `hello\n${ROOT_PEM}${serverIdentity().key}${OTHER_PEM}`, 2],
  ["a root beside one that cannot be parsed", `${BROKEN_PEM}${ROOT_PEM}`, 1],
];

for (const [what, pem, anchors] of texts) {
  Deno.test(`xds 2.2: roots: ${what}`, async () => {
    const material = await trust({ kind: "pem", pem }).material();
    assert.equal(material.anchors.length, anchors);
    assert.equal(material.anchorsFrom, "root certificates in XDS_ROOT_CA");
  });
}

const bad: readonly [what: string, pem: string, source: string][] = [
  ["no certificate", serverIdentity().key, "no certificate is there"],
  ["nothing", "", "no certificate is there"],
  ["a malformed one", BROKEN_PEM, "unexpected"],
  [
    "invalid PEM",
    "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n",
    "PEM block CERTIFICATE is not base64",
  ],
];

for (const [what, pem, source] of bad) {
  Deno.test(`xds 2.11: roots that cannot be used are an error of stage setup: ${what}`, async () => {
    await assert.rejects(trust({ kind: "pem", pem }).material(), (error) => {
      assert.ok(error instanceof GrpcError);
      assert.equal(error.stage, "setup");
      assert.equal(error.message, "cannot use root certificates in XDS_ROOT_CA");
      assert.ok(error.source?.includes(source) || source === "unexpected" && error.source !== null, `${error.source}`);
      return true;
    });
  });
}

Deno.test("server name: the host, and none for an address", async () => {
  const roots = { kind: "pem", pem: ROOT_PEM } as const;
  assert.equal(
    (await trust(roots, "https://istiod.istio-system.svc:1").material()).serverName,
    "istiod.istio-system.svc",
  );
  assert.equal((await trust(roots, "https://127.0.0.1:1").material()).serverName, null);
  assert.equal((await trust(roots, "https://[::1]:1").material()).serverName, null);
});

Deno.test("identity 3.3: a file of roots that was written or replaced is detected", async () => {
  using folder = tempDir();
  const path = folder.write("root.pem", ROOT_PEM);
  const security = trust({ kind: "file", path });
  const material = await security.material();
  assert.equal(await security.isCurrent(material), true);
  folder.write("next.pem", ROOT_PEM + OTHER_PEM);
  Deno.renameSync(`${folder.path}/next.pem`, path);
  assert.equal(await security.isCurrent(material), false);
  const next = await security.material();
  assert.equal(next.anchors.length, 2);
  assert.equal(await security.isCurrent(next), true);
  Deno.removeSync(path);
  assert.equal(await security.isCurrent(next), false);
});

/** Each step changes the file and gives the expected result; `connect` reads the current roots for a new connection. */
const changes: readonly [vector: string, roots: (path: string) => RootCertificates, steps: [string, boolean][]][] = [
  ["A15", () => ({ kind: "pem", pem: ROOT_PEM }), [["write", false], ["remove", false]]],
  ["A16", (path) => ({ kind: "file", path }), [["nothing", false], ["read", false]]],
  ["A17", (path) => ({ kind: "file", path }), [
    ["write", true],
    ["connect", false],
    ["nothing", false],
    ["write", true],
    ["connect", false],
  ]],
];

for (const [vector, roots, steps] of changes) {
  Deno.test(`identity ${vector}: whether roots differ from those in use`, async () => {
    using folder = tempDir();
    const path = folder.write("root.pem", ROOT_PEM);
    const security = trust(roots(path));
    let [inUse, size] = [await security.material(), 1];
    for (const [step, changed] of steps) {
      if (step === "write") folder.write("root.pem", ROOT_PEM + "\n".repeat(size++));
      if (step === "remove") Deno.removeSync(path);
      if (step === "read") Deno.readTextFileSync(path);
      if (step === "connect") inUse = await security.material();
      assert.equal(await security.isCurrent(inUse), !changed, step);
    }
  });
}

Deno.test("SYSTEM uses the first bundle that exists", async () => {
  using folder = tempDir();
  const path = folder.write("ca.crt", ROOT_PEM);
  const material = await trust({ kind: "system" }, undefined, [`${folder.path}/none`, path]).material();
  assert.deepEqual(material.anchors.map(({ der }) => der), [ROOT.certificate]);
  await assert.rejects(
    trust({ kind: "system" }, undefined, ["/none/a", "/none/b"]).material(),
    /cannot find the system's root certificates \(XDS_ROOT_CA=SYSTEM\)/,
  );
});

Deno.test("a name mismatch names the setting that allows another name, unless it is set", async () => {
  const leaf = parseCertificate(pemToDer(serverIdentity().cert)) as Certificate;
  const path = [leaf, parseCertificate(ROOT.certificate) as Certificate];
  const roots = { kind: "pem", pem: ROOT_PEM } as const;
  const refusal = (await trust(roots, "https://istiod:1").material()).accept(path);
  assert.match(refusal?.message ?? "", /is for "localhost", not for istiod \(ALT_XDS_HOSTNAME allows another name\)$/);
  const other = { roots, alternativeHostname: "other", tls12: false, settings: SETTINGS };
  const again = (await namedServer(targetOf("https://istiod:1"), other).material()).accept(path);
  assert.match(again?.message ?? "", /is for "localhost", not for istiod or other$/);
  const right = { ...other, alternativeHostname: "localhost" };
  assert.equal((await namedServer(targetOf("https://istiod:1"), right).material()).accept(path), null);
});

function pemToDer(pem: string): Uint8Array {
  return Uint8Array.fromBase64(pem.replace(/-----.*-----/g, ""));
}

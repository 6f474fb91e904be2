/** Certificates of a real istiod for our proxy, and how peers verify them (`docs/spec/identity-spire.md` 3). */
import { strict as assert } from "node:assert";
import { openIstio } from "../../src/authorities/istio/open_istio.ts";
import { parseConfig } from "../../src/config/parse_config.ts";
import { SYSTEM_FILES } from "../../src/config/files.ts";
import { CertificateError } from "../../src/identity/authority.ts";
import { certificateAuthorityContract } from "../../src/identity/testkit/authority_contract.ts";
import type { SpiffeId } from "../../src/identity/spiffe_id.ts";
import { Istiod, testWithIstiod } from "../../lab/istio/istiod.ts";
import { CLUSTER, documents, pod } from "../../lab/istio/istiod_objects.ts";
import { serviceAccountToken, type TokenOf } from "../../lab/istio/istiod_token.ts";
import { type TempDir, tempDir } from "../../lab/temp_dir.ts";
import { SYSTEM_CLOCK } from "../../src/net/clock.ts";

const OBJECTS = documents(
  CLUSTER,
  pod({ name: "web", ip: "10.1.0.1" }),
  pod({ name: "db", ip: "10.1.0.3" }),
  pod({ name: "far", ip: "10.1.0.2", node: "node-2" }),
);
const PROXY: TokenOf = { namespace: "istio-system", serviceAccount: "ztunnel", pod: "ztunnel-1" };
const idOf = (name: string) => `spiffe://cluster.local/ns/app/sa/${name}` as SpiffeId;
const subject = (name: string) => ({ id: idOf(name), workloadUid: null });

function authorityOf(istiod: Istiod, folder: TempDir, variables: Readonly<Record<string, string>> = {}) {
  const config = parseConfig(
    {
      PROXY_MODE: "shared",
      CA_ADDRESS: `https://${istiod.secure}`,
      CA_ROOT_CA: istiod.rootFile,
      ALT_CA_HOSTNAME: "istiod.istio-system.svc",
      AUTH_TOKEN: folder.write("token", `${serviceAccountToken(PROXY)}\n`),
      ...variables,
    },
    SYSTEM_FILES,
    1,
  );
  return openIstio(config, SYSTEM_CLOCK, () => {});
}

certificateAuthorityContract("istiod", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(tempDir());
  const istiod = stack.use(await Istiod.start({ objects: OBJECTS }));
  const owned = stack.move();
  return {
    authority: authorityOf(istiod, folder),
    subjects: [subject("web"), subject("db")],
    refused: subject("far"),
    now: Date.now,
    tearDown: () => owned.disposeAsync(),
  };
}, (name, fn) => testWithIstiod({}, name, fn));

testWithIstiod({}, "istiod: a certificate may not live longer than istiod allows, and it says so", async () => {
  using folder = tempDir();
  await using istiod = await Istiod.start({ objects: OBJECTS });
  const authority = authorityOf(istiod, folder, { SECRET_TTL: "90000h" });
  await assert.rejects(authority.fetch(subject("web"), new AbortController().signal), (error) => {
    assert.ok(error instanceof CertificateError);
    assert.match(
      error.message,
      /^signing gRPC error \(Client specified an invalid argument\): CSR signing error .*TTL/,
    );
    return true;
  });
  authority.close();
});

testWithIstiod({}, "istiod: a token that is not the proxy's", async () => {
  using folder = tempDir();
  await using istiod = await Istiod.start({ objects: OBJECTS });
  const token = serviceAccountToken({ namespace: "app", serviceAccount: "web", pod: "web" });
  const authority = authorityOf(istiod, folder, { AUTH_TOKEN: token });
  await assert.rejects(
    authority.fetch(subject("db"), new AbortController().signal),
    /does not have valid authentication credentials\): request impersonation authentication failure$/,
  );
  authority.close();
});

testWithIstiod({}, "istiod, identity 3.4: in dedicated mode the certificate is the pod's own", async () => {
  using folder = tempDir();
  await using istiod = await Istiod.start({ objects: OBJECTS });
  const authority = authorityOf(istiod, folder, {
    PROXY_MODE: "dedicated",
    PROXY_WORKLOAD_INFO: "app/web/web",
    AUTH_TOKEN: serviceAccountToken({ namespace: "app", serviceAccount: "web", pod: "web" }),
  });
  const issued = await authority.fetch(subject("web"), new AbortController().signal);
  assert.ok(issued.notAfter - Date.now() > 23 * 3600 * 1000);
  authority.close();
});

import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { type CertificateAuthority, CertificateError } from "./authority.ts";
import { CertificateManager } from "./certificate_manager.ts";
import { dumpCertificates } from "./certificate_dump.ts";
import { Priority } from "./fetch_queue.ts";
import { createLocalCa } from "./local_ca.ts";
import { LocalAuthority } from "./local_authority.ts";
import { logManagerEvents } from "./manager_events.ts";
import { parseSpiffeId } from "./spiffe_id.ts";
import { TestClock } from "./testkit/clock.ts";

const START = Date.UTC(2023, 2, 11, 5, 57, 26);
const subject = (id: string) => ({ id: parseSpiffeId(id)!, workloadUid: null });
const SA0 = subject("spiffe://trust_domain/ns/namespace/sa/sa-0");
const SA1 = subject("spiffe://trust_domain/ns/namespace/sa/sa-1");
const FAILED = subject("spiffe://error/ns/forgotten/sa/sa-failed");
const PENDING = subject("spiffe://test/ns/test/sa/sa-pending");

/** A local authority that takes one second; one id fails and one is never answered. */
function slowAuthority(clock: TestClock): CertificateAuthority {
  const local = new LocalAuthority({
    ca: createLocalCa(START),
    now: () => clock.now() - 1000,
    lifetime: 7 * 3600_000,
    backdate: 0,
  });
  return {
    keyedBy: "identity",
    async fetch(subject, signal) {
      if (subject.id === PENDING.id) await new Promise(() => {});
      if (subject.id === FAILED.id) throw new CertificateError("the identity is no longer needed", "FORGOTTEN");
      await clock.sleep(1000);
      return local.fetch(subject, signal);
    },
    bundles: () => local.bundles(),
    close: () => local.close(),
  };
}

Deno.test("certificate dump, identity T16 T17 T18, config C35", async () => {
  const clock = new TestClock(START);
  const manager = new CertificateManager({
    authority: slowAuthority(clock),
    clock,
    random: () => 0.5,
    events: logManagerEvents(() => {}),
    onChange: () => {},
  });
  const request = (subject: typeof SA0) => void manager.get(subject, Priority.RealTime).catch(() => {});
  request(FAILED);
  request(PENDING);
  request(SA0);
  await clock.advance(1000 + 3599_000);
  request(SA1);
  await clock.advance(1000 + 3599_000);

  const dump = dumpCertificates(manager.statuses());
  assert.deepEqual(dump.map((one) => [one.identity, one.state]), [
    [FAILED.id, "Unavailable: the identity is no longer needed"],
    [PENDING.id, "Initializing"],
    [SA0.id, "Available"],
    [SA1.id, "Available"],
  ]);
  for (const one of dump.slice(0, 2)) assert.deepEqual([one.certChain, one.rootCerts], [[], []]);
  const times = dump.slice(2).map(({ certChain }) => certChain.map((one) => [one.validFrom, one.expirationTime]));
  assert.deepEqual(times, [
    [["2023-03-11T05:57:26Z", "2023-03-11T12:57:26Z"]],
    [["2023-03-11T06:57:26Z", "2023-03-11T13:57:26Z"]],
  ]);
  for (const one of dump.slice(2)) {
    assert.equal(one.rootCerts.length, 1);
    assert.match(atob(one.certChain[0]!.pem), /^-----BEGIN CERTIFICATE-----\n[^\n]{60}\n/);
    assert.match(one.certChain[0]!.serialNumber, /^[1-9][0-9]+$/);
  }
  assert.ok(!JSON.stringify(dump).includes("PRIVATE"));
  manager.close();
});

const VECTOR = "MIIBxTCCAWugAwIBAgIEL5ZgKDAKBggqhkjOPQQDAjAYMRYwFAYDVQQKDA1jbHVzdGVyLmxvY2FsMB4XDTI2MTEyNDA2NTU1N1oX" +
  "DTI2MTEyNTA2NTU1N1owADBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAtAdY2AeNghaN/ey/bbSPq5hco5kIJax7mZDmaqxsCm" +
  "Pbh6tHRDWCpp0ljPNEpQTeztWcDlHDCenO7WmMMeRlKjgbowgbcwDAYDVR0TAQH/BAIwADAOBgNVHQ8BAf8EBAMCBaAwHQYDVR0l" +
  "BBYwFAYIKwYBBQUHAwEGCCsGAQUFBwMCMDgGA1UdEQEB/wQuMCyGKnNwaWZmZTovL2NsdXN0ZXIubG9jYWwvbnMvZGVmYXVsdC9z" +
  "YS9zbGVlcDAdBgNVHQ4EFgQUrkoSBXyCqT9ayv0C+GI/ivoU7O0wHwYDVR0jBBgwFoAUjnqTenr7PNYatECDlM8z3A+sPLcwCgYI" +
  "KoZIzj0EAwIDSAAwRQIgXB7oTQU07elL19KrjHAjUIM4vULIYT3ucnixzciSb6wCIQCoIquOqGKLV0aPVF2Cpdt5lkcyklJ2MOj0" +
  "kIxrZi++FQ==";

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

Deno.test("certificate dump, config C36: the PEM vector", () => {
  const der = Uint8Array.fromBase64(VECTOR);
  const certificate = {
    id: SA0.id,
    chain: [der],
    key: new Uint8Array(),
    notBefore: 0,
    notAfter: 1,
    serial: "",
    bundles: { byTrustDomain: new Map([["trust_domain", [der, Uint8Array.of(1)]]]), anyTrustDomain: [] },
  };
  const subject = { ...SA0, workloadUid: "pod-1" };
  const [dump] = dumpCertificates([{ subject, state: { at: "available", certificate } }]);
  const [entry] = dump!.certChain;
  assert.equal(dump!.workloadUid, "pod-1");
  assert.deepEqual(dump!.rootCerts, [entry]);
  assert.equal(entry!.serialNumber, "798384168");
  assert.equal(entry!.validFrom, "2026-11-24T06:55:57Z");
  assert.equal(entry!.expirationTime, "2026-11-25T06:55:57Z");
  assert.equal(entry!.pem.length, 904);
  assert.equal(sha256(entry!.pem), "f7db3d108c93f6a2ea9ee6fe1027967c0bfa9e2aa7869176b16cfb582b47ad81");
  assert.equal(sha256(atob(entry!.pem)), "7190f14f6f47c6f04bddb7142b399bc880360cc70871d0c0737e030cf3f84d34");
});

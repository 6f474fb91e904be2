import { strict as assert } from "node:assert";
import { CertificateError, type IssuedCertificate } from "../identity/authority.ts";
import type { CertificateStatus } from "../identity/certificate_manager.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import { certificatesRoute } from "./certificates_route.ts";
import { isStreamed } from "./response.ts";
import { get } from "./testkit/get.ts";

const id = (name: string) => `spiffe://td/ns/shop/sa/${name}` as SpiffeId;

function available(name: string, notAfter: number, lastError: CertificateError | null = null): CertificateStatus {
  const certificate = {
    id: id(name),
    key: new Uint8Array(7),
    notBefore: 1,
    notAfter,
    serial: "9",
  } as IssuedCertificate;
  return { subject: { id: id(name), workloadUid: null }, state: { at: "available", certificate }, lastError };
}

async function ask(statuses: readonly CertificateStatus[]) {
  const response = await certificatesRoute(() => statuses)(get("/certificates"));
  assert.ok(!isStreamed(response));
  return { text: String(response.body), ...JSON.parse(String(response.body)) };
}

Deno.test("/certificates: failures first with their cure, then by the time that is left", async () => {
  const error = new CertificateError("no answer", "TIMEOUT");
  const { certificates, more } = await ask([
    available("late", 900),
    available("soon", 100),
    { subject: { id: id("none"), workloadUid: "uid-1" }, state: { at: "unavailable", error }, lastError: error },
    available("not renewed", 50, error),
  ]);
  const rows = certificates.map((row: { identity: string; state: string }) => [row.identity, row.state]);
  assert.deepEqual(rows, [
    [id("none"), "unavailable"],
    [id("not renewed"), "available"],
    [id("soon"), "available"],
    [id("late"), "available"],
  ]);
  assert.equal(more, 0);
  assert.deepEqual(certificates[0].failure.text, "no answer");
  assert.match(certificates[1].failure.cure, /network/);
  assert.equal(certificates[2].failure, null);
});

Deno.test("/certificates: 500 rows, and no key", async () => {
  const { text, certificates, more } = await ask(Array.from({ length: 510 }, (_, i) => available(`${i}`, i)));
  assert.deepEqual([certificates.length, more], [500, 10]);
  assert.ok(!text.includes("key") && text.length < 200_000);
});

import { strict as assert } from "node:assert";
import { CertificateError, type CertificateErrorCode, type IssuedCertificate } from "./authority.ts";
import { CertificateHealth } from "./certificate_health.ts";
import { type CertificateState, INITIALIZING } from "./certificate_state.ts";

const START = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;
const available: CertificateState = { at: "available", certificate: {} as IssuedCertificate };
const unavailable = (code: CertificateErrorCode): CertificateState => ({
  at: "unavailable",
  error: new CertificateError("the agent is unreachable", code),
});

Deno.test("certificate health: one certificate is enough, and none is needed without pods", () => {
  const health = new CertificateHealth();
  assert.equal(health.trouble(START), null);
  health.changed("a", INITIALIZING, START);
  assert.equal(health.trouble(START), null);
  health.changed("a", unavailable("UNAVAILABLE"), START);
  health.changed("b", available, START);
  assert.equal(health.trouble(START), null);
  health.changed("b", null, START + 1000);
  assert.equal(health.noneSince, START + 1000);
  health.changed("a", null, START + 2000);
  assert.equal(health.trouble(START + 3000), null);
});

Deno.test("certificate health: without any certificate the node stays ready for five minutes, and reports it at once", () => {
  const health = new CertificateHealth();
  for (const key of ["a", "b"]) health.changed(key, unavailable("UNAVAILABLE"), START);
  const text = "no certificate of 2 is available since 2026-01-01T00:00:00.000Z: the agent is unreachable";
  assert.deepEqual(health.trouble(START), { text, ready: true });
  health.changed("a", unavailable("TIMEOUT"), START + 4 * MINUTE);
  assert.deepEqual(health.trouble(START + 5 * MINUTE - 1), { text, ready: true });
  assert.deepEqual(health.trouble(START + 5 * MINUTE), { text, ready: false });
  health.changed("b", available, START + 6 * MINUTE);
  assert.equal(health.trouble(START + 6 * MINUTE), null);
});

Deno.test("certificate health: pods without registration entries do not make the proxy unready", () => {
  const health = new CertificateHealth();
  health.changed("a", unavailable("NO_ENTRY"), START);
  health.changed("b", unavailable("NO_PROCESS"), START);
  assert.equal(health.trouble(START + 60 * MINUTE)?.ready, true);
  health.changed("b", unavailable("DENIED"), START + 60 * MINUTE);
  assert.equal(health.trouble(START + 64 * MINUTE)?.ready, true);
  assert.equal(health.trouble(START + 65 * MINUTE)?.ready, false);
});

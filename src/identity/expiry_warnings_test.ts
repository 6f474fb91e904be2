import { strict as assert } from "node:assert";
import { collectCertificateMetrics } from "./certificate_metrics.ts";
import { nextThreshold, thresholdsPassed } from "./expiry_warnings.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { ManagerBench, START, unreachable } from "./testkit/manager.ts";

Deno.test("expiry warnings: thresholds at 50, 20 and 5 per cent", () => {
  const validity = { notBefore: 0, notAfter: 1000 };
  const table = [[0, 0], [499, 0], [500, 1], [799, 1], [800, 2], [949, 2], [950, 3], [2000, 3]] as const;
  for (const [now, passed] of table) assert.equal(thresholdsPassed(validity, now), passed, String(now));
  assert.deepEqual([0, 500, 800, 950, 1000].map((now) => nextThreshold(validity, now)), [
    500,
    800,
    950,
    1000,
    Infinity,
  ]);
  assert.equal(nextThreshold({ notBefore: 0, notAfter: 1_000_000 }, 950_000), Infinity);
  assert.equal(thresholdsPassed({ notBefore: 10, notAfter: 0 }, 5), 3);
});

Deno.test("manager: a certificate that is not renewed is logged at 50, 20 and 5 per cent of its lifetime, once each", async () => {
  const bench = new ManagerBench();
  bench.authority.delay = 0;
  bench.authority.lifetime = 1000_000;
  await bench.certificate("a");
  bench.authority.failure = unreachable;
  await bench.clock.advance(999_000);
  const warnings = bench.lines.filter((line) => /expires at/.test(line));
  assert.deepEqual(warnings.map((line) => line.replace(/^(\w+) .* (\d+)% of.*/, "$1 $2")), [
    "warn 50",
    "warn 20",
    "error 5",
  ]);
  assert.match(
    warnings[2]!,
    /^error certificate expires at 2026-01-01T00:16:40.000Z, 5% of its life or less are left, and it could not be renewed \(signing gRPC error .*\); then connections of this identity fail$/,
  );
  bench.manager.close();
});

Deno.test("manager: no warning about certificates that are renewed in time", async () => {
  const bench = new ManagerBench();
  bench.authority.delay = 0;
  bench.authority.lifetime = 1000_000;
  await bench.certificate("a");
  await bench.clock.advance(5_000_000);
  assert.deepEqual(bench.lines, []);
  bench.manager.close();
});

/** Returns the manager's log lines up to `end` for a certificate of `lifetime` whose renewal takes `delay`, in ms. */
async function linesAbout(lifetime: number, delay: number, end: number): Promise<string[]> {
  const bench = new ManagerBench();
  bench.authority.delay = 0;
  bench.authority.lifetime = lifetime;
  await bench.certificate("a");
  bench.authority.delay = delay;
  await bench.clock.advance(end);
  bench.manager.close();
  return bench.lines.map((line) => line.replace(/^(\w+) .* (\d+)% of.*/, "$1 $2"));
}

Deno.test("manager: slow renewal of a short-lived certificate is not reported, unless the certificate has expired", async () => {
  assert.deepEqual(await linesAbout(100_000, 47_000, 300_000), []);
  assert.deepEqual(await linesAbout(100_000, 80_000, 110_000), ["error 5"]);
  assert.deepEqual(
    await linesAbout(200_000, 70_000, 195_000),
    ["warn 20"],
    "a longer one is reported before its expiry",
  );
});

Deno.test("manager, observed O10: no warning about certificates that are past their half-life when issued", async () => {
  const bench = new ManagerBench();
  bench.authority.delay = 0;
  bench.authority.backdate = 900_000;
  bench.authority.lifetime = 930_000;
  await bench.certificate("a");
  await bench.clock.advance(120_000);
  assert.ok(bench.authority.calls.length > 3);
  assert.deepEqual(bench.lines, []);
  bench.manager.close();
});

Deno.test("certificate metrics: counts by state, and the first expiry", async () => {
  const metrics = new Metrics();
  const shown = () =>
    Object.fromEntries(metrics.snapshot().cells.map(({ family, labels, value }) => [`${family} ${labels}`, value]));
  collectCertificateMetrics(metrics, [], { awaySince: null, noneSince: null });
  assert.equal(shown()["istio_certificate_expiration_timestamp_seconds "], 0);
  const bench = new ManagerBench();
  await bench.certificate("a");
  await bench.clock.advance(10_000);
  await bench.certificate("b");
  bench.request("pending");
  bench.authority.failure = unreachable;
  collectCertificateMetrics(metrics, bench.manager.statuses(), { awaySince: START, noneSince: null });
  assert.deepEqual(shown(), {
    'istio_certificates state="initializing"': 1,
    'istio_certificates state="available"': 2,
    'istio_certificates state="unavailable"': 0,
    "istio_certificate_authority_away_timestamp_seconds ": START / 1000,
    "istio_certificates_none_available_timestamp_seconds ": 0,
    "istio_certificate_expiration_timestamp_seconds ": (START + 1000 + 100_000) / 1000,
  });
  bench.manager.close();
});

/** The events on a node with a real SPIRE: rotation, restarts, an outage, a new root. */
import { strict as assert } from "node:assert";
import { CertificateError, type IssuedCertificate } from "../../src/identity/authority.ts";
import { eventually, inTime } from "../../lab/eventually.ts";
import type { SpireClient } from "../../testkit/spire/client.ts";
import { RealSpire, testWithSpire } from "../../testkit/spire/real.ts";
import { account, bySelectors, served } from "../../testkit/spire/real_client.ts";

const APP = account("app");

/** The certificates so far; fails where the proxy had none in between. */
function unbroken(proxy: SpireClient, since: number): IssuedCertificate[] {
  return proxy.changes.slice(since).map((change) => {
    assert.ok(change !== null && !(change instanceof CertificateError), String(change));
    return change;
  });
}

testWithSpire({}, "SPIRE: rotation comes by push, each certificate before the one before it ends", async () => {
  await using spire = await RealSpire.start();
  using proxy = bySelectors(spire);
  await spire.addAccount("default", "app", { ttl: 20 });
  await served(proxy, APP);
  const since = proxy.changes.length - 1;
  await inTime("three rotations", proxy.changed(since + 4));
  const issued = unbroken(proxy, since);
  assert.equal(new Set(issued.map(({ serial }) => serial)).size, issued.length);
  for (let i = 1; i < issued.length; i++) assert.ok(issued[i]!.notBefore < issued[i - 1]!.notAfter);
});

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  testWithSpire({}, `SPIRE: the agent restarts (${signal}); certificates stay, and new ones come`, async () => {
    await using spire = await RealSpire.start();
    using proxy = bySelectors(spire);
    await spire.addAccount("default", "app");
    const first = await served(proxy, APP);
    const since = proxy.changes.length;
    await spire.stopAgent(signal);
    await eventually(
      "the log says so",
      () => proxy.lines.some((line) => line.includes("cannot reach the SPIRE agent")),
    );
    assert.equal((await proxy.get(APP)).serial, first.serial);
    await spire.startAgent();
    await inTime("a new certificate", proxy.changed(since + 1));
    assert.notEqual(unbroken(proxy, since)[0]!.serial, first.serial);
  });
}

testWithSpire({}, "SPIRE: the server is down until certificates have expired, and comes back", async () => {
  await using spire = await RealSpire.start();
  using proxy = bySelectors(spire);
  await spire.addAccount("default", "app", { ttl: 12 });
  await served(proxy, APP);
  await spire.stopServer();
  const last = await proxy.get(APP);
  // It is in use until it expires; after that requests fail with the reason.
  const expired = await eventually("the end of the certificate", async () => {
    const error = await proxy.get(APP).then(() => null, (reason) => reason);
    if (error === null) assert.ok(Date.now() < last.notAfter + 60_000);
    return error;
  });
  assert.match(expired.message, /can the agent reach its SPIRE server\?/);
  assert.equal(proxy.manager.current(APP), null);
  await spire.startServer();
  assert.ok((await served(proxy, APP)).notAfter > Date.now());
});

testWithSpire({}, "SPIRE: a new root is trusted before anybody is issued by it, and nobody is left out", async () => {
  await using spire = await RealSpire.start();
  using proxy = bySelectors(spire);
  await spire.addAccount("default", "app");
  const first = await served(proxy, APP);
  const since = proxy.changes.length;
  const next = await spire.prepareRoot();
  const roots = async () => (await proxy.get(APP)).bundles.byTrustDomain.get("cluster.local")?.length;
  // The change that brings the second root need not be the first one.
  await eventually("both roots", async () => await roots() === 2);
  assert.equal((await proxy.get(APP)).serial, first.serial);
  const old = await spire.activateRoot(next);
  await spire.taintRoot(old);
  await eventually("a certificate of the new root", async () => (await proxy.get(APP)).serial !== first.serial);
  unbroken(proxy, since);
});

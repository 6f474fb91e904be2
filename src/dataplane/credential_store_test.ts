import { strict as assert } from "node:assert";
import type { Credential, CredentialEvents } from "../hbone/credentials.ts";
import { HostNetwork } from "../hbone/testkit/network.ts";
import { NOW, spiffeId, TestIssuer } from "../hbone/testkit/identity.ts";
import { bundlesForAnyDomain } from "../identity/trust_bundles.ts";
import { MemoryNetwork } from "../net/testkit/memory_network.ts";
import type { TlsContext, TlsSettings } from "../net/tls_context.ts";
import { CredentialStore } from "./credential_store.ts";

const ID = spiffeId("spiffe://td/ns/ns/sa/one"), OTHER = spiffeId("spiffe://td/ns/ns/sa/two");
const issuer = new TestIssuer();

class Context implements TlsContext {
  closed = false;
  constructor(readonly settings: TlsSettings) {}
  close(): void {
    this.closed = true;
  }
}

function bed() {
  const host = new HostNetwork(new MemoryNetwork(), 1);
  const requests: string[] = [], contexts: Context[] = [], received: (Credential | string)[] = [];
  const engine = { broken: false };
  const store = new CredentialStore(host, {
    request: ({ id, workloadUid }) => void requests.push(workloadUid === null ? id : `${id} ${workloadUid}`),
    makeContext(settings) {
      if (engine.broken) throw new Error("key values mismatch");
      const context = new Context(settings);
      contexts.push(context);
      return context;
    },
  }, () => NOW + host.now());
  const events: CredentialEvents = {
    onCredential: (credential) => received.push(credential),
    onCredentialFailure: (message) => received.push(message),
  };
  return {
    host,
    store,
    requests,
    contexts,
    received,
    engine,
    get: (id = ID, uid: string | null = null) => store.of(uid).get(id, events),
  };
}

Deno.test("a certificate is requested for the first caller; all callers get it, later ones at once", () => {
  const { store, requests, received, get, host } = bed();
  get();
  get();
  get(OTHER);
  assert.deepEqual(requests, [ID, OTHER]);
  store.set(issuer.issue(ID));
  assert.equal(received.length, 2);
  get();
  assert.equal(received.length, 3);
  assert.equal((received[2] as Credential).id, ID);
  assert.deepEqual(requests, [ID, OTHER]);
  assert.equal(host.held.timers, 1, "the other's");
});

Deno.test("a failure notifies all callers; the next caller causes another request", () => {
  const { store, requests, received, get, host } = bed();
  get();
  get();
  store.failed(ID, "the CA is not there");
  assert.deepEqual(received, ["the CA is not there", "the CA is not there"]);
  assert.equal(host.held.timers, 0);
  get();
  assert.deepEqual(requests, [ID, ID]);
});

Deno.test("no answer within 10 s: the next caller causes another request, as the answer may be lost", () => {
  const { requests, received, get, host } = bed();
  get();
  host.memory.advance(9999);
  assert.deepEqual(received, []);
  host.memory.advance(1);
  assert.deepEqual(received, [`no certificate for ${ID} within 10 s`]);
  get();
  assert.deepEqual(requests, [ID, ID]);
});

Deno.test("identity 4.3: a temporary failure refuses no waiting caller; when the wait times out it is the reason", () => {
  const { store, requests, received, get, host } = bed();
  get();
  store.delayed(ID, "no running containers");
  host.memory.advance(6000);
  get();
  host.memory.advance(4000);
  assert.deepEqual(received, [`no certificate for ${ID} within 10 s: no running containers`]);
  store.set(issuer.issue(ID));
  assert.equal(typeof received[1], "object", "the certificate");
  assert.deepEqual(requests, [ID], "the certificate arrives without a further request");
});

Deno.test("a caller that has stopped waiting is not called back, also where another callback stops it", () => {
  const { store, received, get, host } = bed();
  get()();
  const stops: (() => void)[] = [];
  const stopAll = () => stops.forEach((stop) => stop());
  store.of(null).get(ID, { onCredential: stopAll, onCredentialFailure: stopAll });
  stops.push(get());
  store.set(issuer.issue(ID));
  assert.deepEqual(received, []);
  assert.equal(host.held.timers, 0);
});

Deno.test("a renewed certificate is used from now on; the old context stays for a minute, for handshakes in progress", () => {
  const { store, contexts, get, received, host } = bed();
  store.set(issuer.issue(ID));
  get();
  store.set(issuer.issue(ID));
  get();
  assert.equal((received[1] as Credential).context, contexts[1]);
  host.memory.advance(59_999);
  assert.equal(contexts[0]!.closed, false);
  host.memory.advance(1);
  assert.deepEqual(contexts.map(({ closed }) => closed), [true, false]);
  assert.equal(host.held.timers, 0);
});

Deno.test("listeners of a certificate are notified of other bundles and of its withdrawal, not of renewals", () => {
  const { store, received, get } = bed();
  const changes: (readonly Uint8Array[] | null)[] = [];
  store.set(issuer.issue(ID));
  get();
  const stop = (received[0] as Credential).watch((trust) => changes.push(trust?.anchors ?? null));
  store.set(issuer.issue(ID));
  store.set(issuer.issue(OTHER));
  store.withdraw(OTHER);
  assert.deepEqual(changes, []);
  const { anchors } = new TestIssuer();
  store.set({ ...issuer.issue(ID), bundles: bundlesForAnyDomain(anchors) });
  store.withdraw(ID);
  assert.deepEqual(changes, [anchors, null]);
  stop();
  store.set(issuer.issue(ID));
  store.withdraw(ID);
  assert.equal(changes.length, 2);
});

Deno.test("a certificate of another authority with the same serial is another one", () => {
  const { store, received, get } = bed();
  const first = issuer.issue(ID);
  const second = { ...new TestIssuer().issue(ID), serial: first.serial, bundles: first.bundles };
  for (const issued of [first, second]) {
    store.set(issued);
    get();
  }
  assert.deepEqual(received.map((one) => (one as Credential).context.settings.chain), [first.chain, second.chain]);
});

Deno.test("the same certificate again makes no new context, except with other trust bundles", () => {
  const { store, contexts, get } = bed();
  const issued = issuer.issue(ID);
  store.set(issued);
  get();
  store.set(structuredClone(issued));
  get();
  assert.equal(contexts.length, 1);
  const anchors = [...issued.bundles.anyTrustDomain, ...new TestIssuer("Second").anchors];
  store.set({ ...issued, bundles: bundlesForAnyDomain(anchors) });
  get();
  assert.deepEqual(contexts.map(({ settings }) => settings.anchors.length), [1, 2]);
  const federated = new Map([["other", anchors]]);
  store.set({ ...issued, bundles: { ...issued.bundles, byTrustDomain: federated } });
  get();
  assert.equal(contexts.length, 3);
});

Deno.test("an expired certificate is not used and requested again", () => {
  const { store, requests, received, get, host } = bed();
  store.set(issuer.issue(ID, 1000));
  host.memory.advance(2000);
  get();
  assert.deepEqual([requests, received], [[ID], []]);
});

Deno.test("contexts are made for the first handshake that needs them, and not for certificates that are replaced before", () => {
  const { store, contexts, get, host } = bed();
  for (let i = 0; i < 3; i++) store.set(issuer.issue(ID));
  assert.equal(contexts.length, 0);
  get();
  for (let i = 0; i < 3; i++) store.set(issuer.issue(ID));
  host.memory.advance(60_000);
  assert.deepEqual(contexts.map(({ closed }) => closed), [false], "the new one may yet be refused");
  get();
  host.memory.advance(60_000);
  assert.deepEqual(contexts.map(({ closed }) => closed), [true, false]);
});

Deno.test("identity A5: the id of a credential is that of its certificate", () => {
  const { store, received, get } = bed();
  get();
  store.set({ ...issuer.issue(OTHER), id: ID });
  assert.equal((received[0] as Credential).id, OTHER);
});

Deno.test("a certificate that the engine refuses is a failure; its predecessor stays in use while it is valid", () => {
  const { store, received, get, engine, host } = bed();
  engine.broken = true;
  get();
  store.set(issuer.issue(ID));
  assert.deepEqual(received, ["key values mismatch"]);
  engine.broken = false;
  store.set(issuer.issue(ID, 10_000));
  get();
  engine.broken = true;
  store.set(issuer.issue(ID));
  get();
  assert.equal(received[2], received[1]);
  host.memory.advance(10_001);
  get();
  assert.equal(received[3], "key values mismatch");
});

Deno.test("a context accepts no peer in a handshake without `accept`", () => {
  const { store, contexts, get } = bed();
  store.set(issuer.issue(ID));
  get();
  assert.equal(contexts[0]!.settings.accept([], "client")?.code, "NO_EXPECTATION");
});

Deno.test("close frees all contexts and timers", () => {
  const { store, contexts, get, host } = bed();
  store.set(issuer.issue(ID));
  get();
  store.set(issuer.issue(ID));
  get();
  store.set(issuer.issue(ID));
  get(OTHER);
  store.close();
  assert.deepEqual(contexts.map(({ closed }) => closed), [true, true]);
  assert.equal(host.held.timers, 0);
});

Deno.test("identity S24: pods of one identity have certificates of their own, where the authority distinguishes pods", () => {
  const { store, requests, received, get } = bed();
  get(ID, "uid-1");
  get(ID, "uid-2");
  assert.deepEqual(requests, [`${ID} uid-1`, `${ID} uid-2`]);
  store.set(issuer.issue(ID));
  assert.equal(received.length, 0);
  store.set(issuer.issue(ID), "uid-1");
  store.failed(ID, "no entry", "uid-2");
  assert.deepEqual(received.map((one) => typeof one === "string" ? one : one.id), [ID, "no entry"]);
});

Deno.test("identity S25: a withdrawn certificate is used by handshakes in progress and by no later one", () => {
  const { store, requests, contexts, get, host } = bed();
  get();
  store.set(issuer.issue(ID));
  store.withdraw(ID, "uid-1");
  store.withdraw(ID);
  store.withdraw(ID);
  assert.equal(contexts[0]!.closed, false);
  get();
  assert.deepEqual(requests, [ID, ID]);
  host.memory.advance(60_000);
  assert.ok(contexts[0]!.closed);
});

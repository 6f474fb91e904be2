import { strict as assert } from "node:assert";
import { endingSentence, endingWords, partyName, phases, questionOf, transportName } from "./flow_text.ts";
import { flowEvent } from "./testkit/flow_event.ts";

Deno.test("flow text: names, and endings as sentences", () => {
  const party = { address: "10.0.0.9:1", workload: null, namespace: null, identity: null };
  assert.deepEqual([partyName(flowEvent().source), partyName(party)], ["shop/web-0", "10.0.0.9:1"]);
  assert.equal(partyName({ ...party, identity: "spiffe://td/ns/shop/sa/web" }), "shop/web");
  assert.equal(partyName({ ...party, identity: "spiffe://td/other" }), "spiffe://td/other");
  assert.equal(endingSentence(flowEvent()), "After 1.5 s the client closed it, while it was open.");
  const refused = flowEvent({ ending: { by: "us", how: "policy", phase: "authorizing" }, age: 3 });
  assert.equal(endingSentence(refused), "After 3 ms this proxy refused it by a policy, when policies were evaluated.");
  const open = flowEvent({ ending: null, state: "half-closed", age: 60_000 });
  assert.deepEqual([endingSentence(open), endingWords(open)], ["It is half-closed for 1 min.", "half-closed"]);
  assert.equal(endingWords(flowEvent()), "closed by client");
});

Deno.test("flow text: phases follow each other, and those that a flow has not are left out", () => {
  assert.deepEqual(phases(flowEvent()), [
    { name: "resolve", from: 0, to: 0 },
    { name: "connect", from: 0, to: 1 },
    { name: "TLS handshake", from: 1, to: 3 },
    { name: "CONNECT", from: 3, to: 5 },
    { name: "open", from: 5, to: 1500 },
  ]);
});

Deno.test("flow text: plain is what has no TLS by its protocol, not what could not be made", () => {
  const tls = { version: "TLSv1.3", group: "X25519" };
  assert.equal(transportName({ protocol: "HBONE", tls }), "TLSv1.3");
  assert.equal(transportName({ protocol: "HBONE", tls: null }), "HBONE");
  assert.equal(transportName({ protocol: "TCP", tls: null }), "plain");
});

Deno.test("flow text: what explains a flow", () => {
  assert.deepEqual(questionOf(flowEvent({ target: "10.9.9.9:80" })), { from: "shop/web-0", to: "10.9.9.9:80" });
  const source = { address: "[fd00::1]:4000", workload: null, namespace: null, identity: null };
  assert.deepEqual(questionOf(flowEvent({ direction: "inbound", source, target: "cart.shop:80" })), {
    from: "fd00::1",
    to: "10.0.0.2:80",
  });
  const known = { ...source, identity: "spiffe://td/ns/shop/sa/web" };
  assert.equal(questionOf(flowEvent({ direction: "inbound", source: known })), null);
});

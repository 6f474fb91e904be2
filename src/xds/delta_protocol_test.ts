import assert from "node:assert/strict";
import { envoy } from "../../proto/gen/xds.js";
import { DeltaProtocol } from "./delta_protocol.ts";
import type { ResourceNames } from "./name_list.ts";
import { type DeltaRequest, encodeRequest } from "./requests.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, type Rejection, type ResourceType } from "./resources.ts";

const { DeltaDiscoveryRequest } = envoy.service.discovery.v3;
const NODE = { id: "node" };

/** What goes over the wire, without fields that are empty. */
function sent(request: DeltaRequest) {
  const steps = encodeRequest(request, NODE);
  let step = steps.next();
  while (!step.done) step = steps.next();
  const message = DeltaDiscoveryRequest.decode(step.value);
  return {
    node: message.node?.id ?? null,
    typeUrl: message.typeUrl,
    subscribe: [...message.resourceNamesSubscribe],
    unsubscribe: [...message.resourceNamesUnsubscribe],
    versions: { ...message.initialResourceVersions },
    nonce: message.responseNonce,
    error: message.errorDetail === null
      ? null
      : { code: message.errorDetail.code, message: message.errorDetail.message },
  };
}

const NOTHING = { node: null, subscribe: [], unsubscribe: [], versions: {}, nonce: "", error: null };

interface Change {
  readonly changed?: readonly (string | ResourceNames)[];
  readonly removed?: readonly string[];
  readonly rejections?: readonly Rejection[];
}

/** Applies a response and returns its answer. */
function respond(protocol: DeltaProtocol, type: ResourceType, change: Change = {}): DeltaRequest {
  const changed = (change.changed ?? []).map((one) => typeof one === "string" ? named(one) : one);
  const names = { type, changed, removed: change.removed ?? [] };
  const rejections = change.rejections ?? [];
  for (const _ of protocol.settle(names, rejections, 0)) { /* to the end */ }
  return protocol.answer(type, "n", rejections);
}

/** `a@1`: version 1 of a. */
function named(text: string): ResourceNames {
  const [name = "", version = ""] = text.split("@");
  return { name, version, aliases: [] };
}

Deno.test("xds X51: first requests, for everything", () => {
  const protocol = new DeltaProtocol(false);
  assert.deepEqual(protocol.opened(0).map(sent), [
    { ...NOTHING, node: "node", typeUrl: ADDRESS_TYPE },
    { ...NOTHING, node: "node", typeUrl: AUTHORIZATION_TYPE },
  ]);
});

Deno.test("xds X52: first requests on demand", () => {
  const protocol = new DeltaProtocol(true);
  assert.deepEqual(protocol.opened(0).map(sent), [
    { ...NOTHING, node: "node", typeUrl: ADDRESS_TYPE, subscribe: ["*"], unsubscribe: ["*"] },
    { ...NOTHING, node: "node", typeUrl: AUTHORIZATION_TYPE },
  ]);
});

Deno.test("xds X62: an acknowledgement has a type and a nonce", () => {
  assert.deepEqual(sent(respond(new DeltaProtocol(false), ADDRESS_TYPE)), {
    ...NOTHING,
    typeUrl: ADDRESS_TYPE,
    nonce: "n",
  });
});

Deno.test("xds X60: a refusal names all that is bad", () => {
  const rejections = [{ name: "a", reason: "unknown address type" }, { name: "b", reason: "decode: x" }];
  assert.deepEqual(sent(respond(new DeltaProtocol(false), ADDRESS_TYPE, { changed: ["a", "b"], rejections })), {
    ...NOTHING,
    typeUrl: ADDRESS_TYPE,
    nonce: "n",
    error: { code: 0, message: "a: unknown address type; b: decode: x" },
  });
});

Deno.test("a refusal of very many has a bounded length", () => {
  const rejections = Array.from({ length: 100_000 }, (_, i) => ({ name: `name-${i}`, reason: "decode: x" }));
  const answer = new DeltaProtocol(false).answer(ADDRESS_TYPE, "n", rejections);
  assert.ok(answer.kind === "nack");
  assert.match(answer.message, /^name-0: decode: x; name-1: decode: x; .*\.\.\. and 9\d{4} more$/);
  assert.ok(answer.message.length < 66_000);
});

/** Versions that the next stream claims. */
function claimed(protocol: DeltaProtocol): Record<ResourceType, Record<string, string>> {
  protocol.closed();
  const [addresses, policies] = protocol.opened(0).map(sent);
  return { [ADDRESS_TYPE]: addresses!.versions, [AUTHORIZATION_TYPE]: policies!.versions };
}

const sequences: readonly [id: string, responses: readonly Change[], addresses: Record<string, string>][] = [
  ["X55", [{ changed: ["foo0@0.0.1", "bad@9.9.9"], rejections: [{ name: "bad", reason: "x" }] }], { foo0: "0.0.1" }],
  ["X58", [{ removed: ["nobody"] }], {}],
  ["X63", [{ changed: ["foo0@v1"] }, { changed: ["foo0@v2"], rejections: [{ name: "foo0", reason: "x" }] }], {
    foo0: "v1",
  }],
  ["X64", [{ changed: ["foo0@v1", "foo1@v1"] }, { removed: ["foo0"] }], { foo1: "v1" }],
  ["2.5 no version", [{ changed: ["a"] }], { a: "" }],
  ["2.6 twice", [{ changed: ["a@1", "a@2"] }], { a: "2" }],
  ["Q6 changed and removed", [{ changed: ["a@1"], removed: ["a"] }], {}],
  ["2.5 two good, one bad of one name", [{ changed: ["a@1", "a@2"], rejections: [{ name: "a", reason: "x" }] }], {}],
];

for (const [id, responses, addresses] of sequences) {
  Deno.test(`xds ${id}: the next stream claims ${JSON.stringify(addresses)}`, () => {
    const protocol = new DeltaProtocol(false);
    protocol.opened(0);
    for (const response of responses) respond(protocol, ADDRESS_TYPE, response);
    assert.deepEqual(claimed(protocol), { [ADDRESS_TYPE]: addresses, [AUTHORIZATION_TYPE]: {} });
  });
}

Deno.test("a claim of many names arrives whole", () => {
  const protocol = new DeltaProtocol(false);
  protocol.opened(0);
  const names = Array.from({ length: 2001 }, (_, i) => `w${i}@${i}`);
  respond(protocol, ADDRESS_TYPE, { changed: [...names, "__proto__@p", "7@seven"] });
  const { [ADDRESS_TYPE]: versions } = claimed(protocol);
  assert.equal(Object.keys(versions).length, 2003);
  assert.deepEqual([versions["w0"], versions["w2000"], versions["7"]], ["0", "2000", "seven"]);
  assert.equal(Object.getOwnPropertyDescriptor(versions, "__proto__")?.value, "p");
  assert.equal(protocol.count(ADDRESS_TYPE), 2003);
});

Deno.test("xds Q14: a list that the control plane does not take is sent no more; what the next answer leaves out is gone", () => {
  const protocol = new DeltaProtocol(false);
  protocol.opened(0);
  assert.equal(protocol.forgoClaims(), false, "nothing was claimed yet");
  respond(protocol, ADDRESS_TYPE, { changed: ["a@1", "b@1", "c@1"] });
  respond(protocol, AUTHORIZATION_TYPE, { changed: ["p"] });
  assert.equal(protocol.forgoClaims(), true);
  const vanished = (type: ResourceType, ...names: string[]) => {
    const work = protocol.vanished(type, names.map(named));
    let step = work.next();
    while (!step.done) step = work.next();
    return [...step.value].sort();
  };
  assert.deepEqual(vanished(ADDRESS_TYPE, "a"), [], "this stream is as it was");
  assert.deepEqual(claimed(protocol), { [ADDRESS_TYPE]: {}, [AUTHORIZATION_TYPE]: {} });
  assert.equal(protocol.forgoClaims(), false);
  assert.deepEqual(vanished(ADDRESS_TYPE, "a@2", "d@1"), ["b", "c"]);
  assert.deepEqual(vanished(AUTHORIZATION_TYPE), ["p"]);
  respond(protocol, ADDRESS_TYPE, { changed: ["a@2", "d@1"], removed: ["b", "c"] });
  assert.equal(protocol.count(ADDRESS_TYPE), 2);
  assert.deepEqual(vanished(ADDRESS_TYPE, "e@1"), [], "the second response is a change");
  assert.deepEqual(vanished(AUTHORIZATION_TYPE), ["p"], "each type has its own first response");
});

Deno.test("xds Q14: on demand nearly all is let go, and what is asked for anew is claimed again", () => {
  const protocol = new DeltaProtocol(true);
  protocol.opened(0);
  respond(protocol, ADDRESS_TYPE, { changed: ["own-pod@1", "a@1", "b@1"] });
  respond(protocol, AUTHORIZATION_TYPE, { changed: ["p"] });
  assert.equal(protocol.forgoClaims(), true);
  protocol.closed();
  protocol.demand("waited-for", 0, () => {});
  const [addresses, policies] = protocol.opened(0).map(sent);
  assert.deepEqual([addresses!.versions, policies!.versions], [{ "waited-for": "" }, {}]);
  const work = protocol.vanished(ADDRESS_TYPE, ["own-pod@1"].map(named));
  let step = work.next();
  while (!step.done) step = work.next();
  assert.deepEqual([...step.value].sort(), ["a", "b"]);
  respond(protocol, ADDRESS_TYPE, { changed: ["own-pod@1"], removed: step.value });
  assert.equal(protocol.hasLost, false, "that is no loss");
  respond(protocol, ADDRESS_TYPE, { changed: ["a@2"] });
  assert.deepEqual(claimed(protocol), {
    [ADDRESS_TYPE]: { "own-pod": "1", "a": "2", "waited-for": "" },
    [AUTHORIZATION_TYPE]: {},
  });
});

Deno.test("xds X53, X66: ready after a good response of each type", () => {
  const protocol = new DeltaProtocol(false);
  respond(protocol, AUTHORIZATION_TYPE, { changed: ["p"], rejections: [{ name: "p", reason: "x" }] });
  respond(protocol, ADDRESS_TYPE);
  assert.equal(protocol.ready, false);
  respond(protocol, AUTHORIZATION_TYPE);
  assert.equal(protocol.ready, true);
  protocol.closed();
  protocol.opened(1);
  respond(protocol, ADDRESS_TYPE, { changed: ["a"], rejections: [{ name: "a", reason: "x" }] });
  assert.equal(protocol.ready, true);
});

Deno.test("xds X67: on demand, policies are enough", () => {
  const protocol = new DeltaProtocol(true);
  respond(protocol, ADDRESS_TYPE);
  assert.equal(protocol.ready, false);
  respond(protocol, AUTHORIZATION_TYPE);
  assert.equal(protocol.ready, true);
});

Deno.test("xds X59: a type that nobody asked for has no meaning, and is acknowledged", () => {
  const protocol = new DeltaProtocol(false);
  assert.equal(protocol.typeOf("type.googleapis.com/istio.workload.Workload"), null);
  assert.deepEqual(sent(protocol.answer("other", "n", [])), { ...NOTHING, typeUrl: "other", nonce: "n" });
});

Deno.test("xds X65, Q3: a demand asks once, survives a reconnect, and is answered by an alias", () => {
  const protocol = new DeltaProtocol(true);
  protocol.opened(0);
  const told: string[] = [];
  assert.equal(protocol.demand("/10.0.0.9", 0, (answer) => told.push(answer)), "ask");
  assert.deepEqual(sent({ kind: "demand", name: "/10.0.0.9" }), {
    ...NOTHING,
    typeUrl: ADDRESS_TYPE,
    subscribe: ["/10.0.0.9"],
  });
  assert.deepEqual(claimed(protocol)[ADDRESS_TYPE], { "/10.0.0.9": "" });
  const workload = { name: "w", version: "1", aliases: ["/10.0.0.9"] };
  respond(protocol, ADDRESS_TYPE, { changed: [workload] });
  assert.deepEqual(told, ["known"]);
  assert.deepEqual(claimed(protocol)[ADDRESS_TYPE], { w: "1" });
});

Deno.test("xds 2.9: waiters are told when the whole response is settled, not before", () => {
  const protocol = new DeltaProtocol(true);
  protocol.opened(0);
  const told: string[] = [];
  protocol.demand("a", 0, (answer) => told.push(`a ${answer}`));
  protocol.demand("gone", 0, (answer) => told.push(`gone ${answer} ${protocol.count(ADDRESS_TYPE)}`));
  const names = { type: ADDRESS_TYPE as ResourceType, changed: ["a@1", "b@1"].map(named), removed: ["gone"] };
  const steps = protocol.settle(names, [], 0);
  for (let i = 0; i < 3; i++) {
    steps.next();
    assert.deepEqual(told, []);
  }
  for (const _ of steps) { /* to the end */ }
  assert.deepEqual(told, ["a known", "gone absent 2"]);
});

Deno.test("policies do not answer demands of addresses", () => {
  const protocol = new DeltaProtocol(true);
  protocol.opened(0);
  const told: string[] = [];
  protocol.demand("ns/name", 0, (answer) => told.push(answer));
  respond(protocol, AUTHORIZATION_TYPE, { changed: ["ns/name"] });
  assert.deepEqual(told, []);
});

Deno.test("without on-demand mode everything is known that there is", () => {
  const protocol = new DeltaProtocol(false);
  protocol.opened(0);
  const told: string[] = [];
  assert.equal(protocol.demand("a", 0, (answer) => told.push(answer)), "nothing");
  assert.deepEqual(told, ["absent"]);
});

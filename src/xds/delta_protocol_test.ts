import assert from "node:assert/strict";
import { envoy } from "../../proto/gen/xds.js";
import { DeltaProtocol } from "./delta_protocol.ts";
import type { ResourceNames } from "./name_list.ts";
import { type DeltaRequest, encodeRequest } from "./requests.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, type Rejection, type ResourceType } from "./resources.ts";

const { DeltaDiscoveryRequest } = envoy.service.discovery.v3;
const NODE = { id: "node" };

/** Encodes a request, decodes it and returns its fields. */
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

/** Applies a response and returns the ACK or NACK. */
function respond(protocol: DeltaProtocol, type: ResourceType, change: Change = {}): DeltaRequest {
  const changed = (change.changed ?? []).map((one) => typeof one === "string" ? named(one) : one);
  const names = { type, changed, removed: change.removed ?? [] };
  const rejections = change.rejections ?? [];
  for (const _ of protocol.settle(names, rejections, 0)) { /* to the end */ }
  return protocol.acknowledge(type, "n", rejections);
}

/** `a@1`: version 1 of a. */
function named(text: string): ResourceNames {
  const [name = "", version = ""] = text.split("@");
  return { name, version, aliases: [] };
}

Deno.test("xds X51: first requests of wildcard subscriptions", () => {
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

Deno.test("xds X60: a NACK names all rejected resources", () => {
  const rejections = [{ name: "a", reason: "unknown address type" }, { name: "b", reason: "decode: x" }];
  assert.deepEqual(sent(respond(new DeltaProtocol(false), ADDRESS_TYPE, { changed: ["a", "b"], rejections })), {
    ...NOTHING,
    typeUrl: ADDRESS_TYPE,
    nonce: "n",
    error: { code: 0, message: "a: unknown address type; b: decode: x" },
  });
});

Deno.test("xds 2.7: a NACK of very many resources has a bounded length", () => {
  const rejections = Array.from({ length: 100_000 }, (_, i) => ({ name: `name-${i}`, reason: "decode: x" }));
  const answer = new DeltaProtocol(false).acknowledge(ADDRESS_TYPE, "n", rejections);
  assert.ok(answer.kind === "nack");
  assert.match(answer.message, /^name-0: decode: x; name-1: decode: x; .*\.\.\. and 9\d{4} more$/);
  assert.ok(answer.message.length < 66_000);
});

/** Returns the versions that the first requests of the next stream list. */
function listed(protocol: DeltaProtocol): Record<ResourceType, Record<string, string>> {
  protocol.closed();
  const [addresses, policies] = protocol.opened(0).map(sent);
  return { [ADDRESS_TYPE]: addresses!.versions, [AUTHORIZATION_TYPE]: policies!.versions };
}

const sequences: readonly [id: string, responses: readonly Change[], addresses: Record<string, string>][] = [
  ["X55", [{ changed: ["foo0@0.0.1", "bad@9.9.9"], rejections: [{ name: "bad", reason: "x" }] }], { foo0: "0.0.1" }],
  ["X58", [{ removed: ["unknown"] }], {}],
  ["X63", [{ changed: ["foo0@v1"] }, { changed: ["foo0@v2"], rejections: [{ name: "foo0", reason: "x" }] }], {
    foo0: "v1",
  }],
  ["X64", [{ changed: ["foo0@v1", "foo1@v1"] }, { removed: ["foo0"] }], { foo1: "v1" }],
  ["2.5 no version", [{ changed: ["a"] }], { a: "" }],
  ["2.6 twice", [{ changed: ["a@1", "a@2"] }], { a: "2" }],
  ["Q6 changed and removed", [{ changed: ["a@1"], removed: ["a"] }], {}],
  ["2.5 two resources with one name, one rejected", [{
    changed: ["a@1", "a@2"],
    rejections: [{ name: "a", reason: "x" }],
  }], {}],
];

for (const [id, responses, addresses] of sequences) {
  Deno.test(`xds ${id}: the next stream lists ${JSON.stringify(addresses)}`, () => {
    const protocol = new DeltaProtocol(false);
    protocol.opened(0);
    for (const response of responses) respond(protocol, ADDRESS_TYPE, response);
    assert.deepEqual(listed(protocol), { [ADDRESS_TYPE]: addresses, [AUTHORIZATION_TYPE]: {} });
  });
}

Deno.test("xds 2.5: a list of many names is encoded completely", () => {
  const protocol = new DeltaProtocol(false);
  protocol.opened(0);
  const names = Array.from({ length: 2001 }, (_, i) => `w${i}@${i}`);
  respond(protocol, ADDRESS_TYPE, { changed: [...names, "__proto__@p", "7@seven"] });
  const { [ADDRESS_TYPE]: versions } = listed(protocol);
  assert.equal(Object.keys(versions).length, 2003);
  assert.deepEqual([versions["w0"], versions["w2000"], versions["7"]], ["0", "2000", "seven"]);
  assert.equal(Object.getOwnPropertyDescriptor(versions, "__proto__")?.value, "p");
  assert.equal(protocol.count(ADDRESS_TYPE), 2003);
});

Deno.test("xds Q14: a refused list is not sent again, and resources missing in the next response are removed", () => {
  const protocol = new DeltaProtocol(false);
  protocol.opened(0);
  assert.equal(protocol.omitVersions(), false, "no list was sent yet");
  respond(protocol, ADDRESS_TYPE, { changed: ["a@1", "b@1", "c@1"] });
  respond(protocol, AUTHORIZATION_TYPE, { changed: ["p"] });
  assert.equal(protocol.omitVersions(), true);
  const missing = (type: ResourceType, ...names: string[]) => {
    const work = protocol.implicitlyRemoved(type, names.map(named));
    let step = work.next();
    while (!step.done) step = work.next();
    return [...step.value].sort();
  };
  assert.deepEqual(missing(ADDRESS_TYPE, "a"), [], "the list of this stream was sent");
  assert.deepEqual(listed(protocol), { [ADDRESS_TYPE]: {}, [AUTHORIZATION_TYPE]: {} });
  assert.equal(protocol.omitVersions(), false);
  assert.deepEqual(missing(ADDRESS_TYPE, "a@2", "d@1"), ["b", "c"]);
  assert.deepEqual(missing(AUTHORIZATION_TYPE), ["p"]);
  respond(protocol, ADDRESS_TYPE, { changed: ["a@2", "d@1"], removed: ["b", "c"] });
  assert.equal(protocol.count(ADDRESS_TYPE), 2);
  assert.deepEqual(missing(ADDRESS_TYPE, "e@1"), [], "the second response contains changes only");
  assert.deepEqual(missing(AUTHORIZATION_TYPE), ["p"], "each type has its own first response");
});

Deno.test("xds Q14: on demand almost all resources are removed, and those looked up again are listed again", () => {
  const protocol = new DeltaProtocol(true);
  protocol.opened(0);
  respond(protocol, ADDRESS_TYPE, { changed: ["own-pod@1", "a@1", "b@1"] });
  respond(protocol, AUTHORIZATION_TYPE, { changed: ["p"] });
  assert.equal(protocol.omitVersions(), true);
  protocol.closed();
  protocol.lookUp("pending", 0, () => {});
  const [addresses, policies] = protocol.opened(0).map(sent);
  assert.deepEqual([addresses!.versions, policies!.versions], [{ "pending": "" }, {}]);
  const work = protocol.implicitlyRemoved(ADDRESS_TYPE, ["own-pod@1"].map(named));
  let step = work.next();
  while (!step.done) step = work.next();
  assert.deepEqual([...step.value].sort(), ["a", "b"]);
  respond(protocol, ADDRESS_TYPE, { changed: ["own-pod@1"], removed: step.value });
  assert.equal(protocol.isOutdated, false, "such removals do not count");
  respond(protocol, ADDRESS_TYPE, { changed: ["a@2"] });
  assert.deepEqual(listed(protocol), {
    [ADDRESS_TYPE]: { "own-pod": "1", "a": "2", "pending": "" },
    [AUTHORIZATION_TYPE]: {},
  });
});

Deno.test("xds X53, X66: ready after an accepted response of each type", () => {
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

Deno.test("xds X67: on demand, ready after policies", () => {
  const protocol = new DeltaProtocol(true);
  respond(protocol, ADDRESS_TYPE);
  assert.equal(protocol.ready, false);
  respond(protocol, AUTHORIZATION_TYPE);
  assert.equal(protocol.ready, true);
});

Deno.test("xds X59: a response of a type that was not requested is acknowledged and ignored", () => {
  const protocol = new DeltaProtocol(false);
  assert.equal(protocol.typeOf("type.googleapis.com/istio.workload.Workload"), null);
  assert.deepEqual(sent(protocol.acknowledge("other", "n", [])), { ...NOTHING, typeUrl: "other", nonce: "n" });
});

Deno.test("xds X65, Q3: a lookup is requested once, survives a reconnect, and is found by an alias", () => {
  const protocol = new DeltaProtocol(true);
  protocol.opened(0);
  const results: string[] = [];
  assert.equal(protocol.lookUp("/10.0.0.9", 0, (result) => results.push(result)), "request");
  assert.deepEqual(sent({ kind: "lookup", name: "/10.0.0.9" }), {
    ...NOTHING,
    typeUrl: ADDRESS_TYPE,
    subscribe: ["/10.0.0.9"],
  });
  assert.deepEqual(listed(protocol)[ADDRESS_TYPE], { "/10.0.0.9": "" });
  const workload = { name: "w", version: "1", aliases: ["/10.0.0.9"] };
  respond(protocol, ADDRESS_TYPE, { changed: [workload] });
  assert.deepEqual(results, ["known"]);
  assert.deepEqual(listed(protocol)[ADDRESS_TYPE], { w: "1" });
});

Deno.test("xds 2.9: lookups end when the whole response is settled, not before", () => {
  const protocol = new DeltaProtocol(true);
  protocol.opened(0);
  const results: string[] = [];
  protocol.lookUp("a", 0, (result) => results.push(`a ${result}`));
  protocol.lookUp("gone", 0, (result) => results.push(`gone ${result} ${protocol.count(ADDRESS_TYPE)}`));
  const names = { type: ADDRESS_TYPE as ResourceType, changed: ["a@1", "b@1"].map(named), removed: ["gone"] };
  const steps = protocol.settle(names, [], 0);
  for (let i = 0; i < 3; i++) {
    steps.next();
    assert.deepEqual(results, []);
  }
  for (const _ of steps) { /* to the end */ }
  assert.deepEqual(results, ["a known", "gone absent 2"]);
});

Deno.test("xds 2.9: policies do not end lookups of addresses", () => {
  const protocol = new DeltaProtocol(true);
  protocol.opened(0);
  const results: string[] = [];
  protocol.lookUp("ns/name", 0, (result) => results.push(result));
  respond(protocol, AUTHORIZATION_TYPE, { changed: ["ns/name"] });
  assert.deepEqual(results, []);
});

Deno.test("xds 2.9: without on-demand mode every lookup is absent", () => {
  const protocol = new DeltaProtocol(false);
  protocol.opened(0);
  const results: string[] = [];
  assert.equal(protocol.lookUp("a", 0, (result) => results.push(result)), "nothing");
  assert.deepEqual(results, ["absent"]);
});

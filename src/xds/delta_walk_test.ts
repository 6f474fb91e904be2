/** Random sequences of events with the protocol and a model of istiod (`docs/spec/observed.md` O3). */
import fc from "fast-check";
import assert from "node:assert/strict";
import { DeltaProtocol } from "./delta_protocol.ts";
import type { LookupResult } from "./lookups.ts";
import type { DeltaRequest } from "./requests.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "./resources.ts";

const NAMES = ["w0", "w1", "w2", "w3", "w4", "w5"];
/** The alias by which a resource can be looked up, too. */
const aliasOf = (name: string) => `/10.0.0.${name.slice(1)}`;

interface Resource {
  readonly version: string;
  readonly bad: boolean;
}

/** A model of istiod: its resources and the state of the current stream. */
class Istiod {
  readonly resources = new Map<string, Resource>();
  #subscribed: Set<string> | "everything" | null = null;
  /** The versions that the client listed on this stream. */
  #listed = new Map<string, string>();
  readonly #requested = new Set<string>();

  /** The first request of a stream. */
  open(request: DeltaRequest & { kind: "initial" }): { changed: string[]; removed: string[] } {
    this.#listed = new Map(request.versions);
    this.#requested.clear();
    this.#subscribed = request.mode === "wildcard" ? "everything" : new Set(this.#listed.keys());
    const removed = [...this.#listed.keys()].filter((name) => this.#find(name) === null);
    const selected = request.mode === "wildcard" ? [...this.resources.keys()] : [...this.#listed.keys()];
    const changed = selected.map((name) => this.#find(name)).filter((name) => name !== null);
    return { changed: [...new Set(changed)].filter((name) => this.#isChanged(name)), removed };
  }

  close(): void {
    this.#subscribed = null;
  }

  /** Returns null, no response, where the name is subscribed already. */
  subscribe(name: string): { changed: string[]; removed: string[] } | null {
    assert.ok(!this.#requested.has(name), `${name} was requested twice on one stream`);
    this.#requested.add(name);
    const subscribed = this.#subscribed;
    assert.ok(subscribed instanceof Set);
    const found = this.#find(name);
    if (subscribed.has(name)) return null;
    subscribed.add(name);
    if (found === null) return { changed: [], removed: [name] };
    subscribed.add(found);
    return { changed: [found], removed: [] };
  }

  /** Returns whether a change of this resource is pushed. */
  pushes(name: string): boolean {
    return this.#subscribed === "everything" || this.#subscribed !== null && this.#subscribed.has(name);
  }

  #find(name: string): string | null {
    return NAMES.find((known) => this.resources.has(known) && (known === name || aliasOf(known) === name)) ?? null;
  }

  #isChanged(name: string): boolean {
    return this.#listed.get(name) !== this.resources.get(name)!.version;
  }
}

/** The protocol and the model, connected directly. */
class Walk {
  readonly istiod = new Istiod();
  readonly protocol: DeltaProtocol;
  readonly results: LookupResult[] = [];
  lookups = 0;
  now = 0;
  /** The resources that a sink would have applied. */
  readonly applied = new Map<string, string>();
  #open = false;
  #version = 0;

  constructor(onDemand: boolean) {
    this.protocol = new DeltaProtocol(onDemand, {
      timeout: 100,
      pending: 20,
      namesPerStream: 8,
      reopenAfter: 50,
      refreshAfter: 10,
    });
  }

  connect(): void {
    if (this.#open) return;
    this.#open = true;
    const [addresses] = this.protocol.opened(this.now);
    assert.ok(addresses?.kind === "initial");
    this.#deliver(this.istiod.open({ ...addresses, versions: [...addresses.versions] }));
  }

  disconnect(): void {
    if (!this.#open) return;
    this.#open = false;
    this.istiod.close();
    this.protocol.closed();
  }

  /** The control plane refuses the list of known resources. */
  refuseList(): void {
    this.disconnect();
    this.protocol.omitVersions();
  }

  put(name: string, bad: boolean): void {
    this.istiod.resources.set(name, { version: `v${++this.#version}`, bad });
    if (this.istiod.pushes(name)) this.#deliver({ changed: [name], removed: [] });
  }

  remove(name: string): void {
    if (this.istiod.resources.delete(name) && this.istiod.pushes(name)) this.#deliver({ changed: [], removed: [name] });
  }

  lookUp(name: string): void {
    this.lookups++;
    const step = this.protocol.lookUp(name, this.now, (result) => this.results.push(result));
    if (step === "reopen") {
      this.disconnect();
      this.connect();
    } else if (step === "request") {
      assert.ok(this.#open, "a request without a stream");
      const response = this.istiod.subscribe(name);
      if (response !== null) this.#deliver(response);
    }
  }

  pass(time: number): void {
    this.now += time;
    this.protocol.expireLookups(this.now);
  }

  #deliver({ changed, removed }: { changed: readonly string[]; removed: readonly string[] }): void {
    const resources = changed.map((name) => ({ name, ...this.istiod.resources.get(name)! }));
    const missing = this.protocol.implicitlyRemoved(ADDRESS_TYPE, changed.map(named));
    let step = missing.next();
    while (!step.done) step = missing.next();
    const allRemoved = [...removed, ...step.value];
    const rejections = resources.filter(({ bad }) => bad).map(({ name }) => ({ name, reason: "bad" }));
    for (const { name, version, bad } of resources) if (!bad) this.applied.set(name, version);
    for (const name of allRemoved) this.applied.delete(name);
    const names = {
      type: ADDRESS_TYPE,
      changed: resources.map(({ name, version }) => ({ name, version, aliases: [aliasOf(name)] })),
      removed: allRemoved,
    } as const;
    for (const _ of this.protocol.settle(names, rejections, this.now)) { /* to the end */ }
    const reply = this.protocol.acknowledge(ADDRESS_TYPE, "n", rejections);
    assert.equal(reply.kind, rejections.length > 0 ? "nack" : "ack");
  }

  /** Returns the versions that the next stream would list. */
  listedVersions(): Record<string, string> {
    this.disconnect();
    const [addresses, policies] = this.protocol.opened(this.now);
    assert.ok(addresses?.kind === "initial" && policies?.kind === "initial" && policies.type === AUTHORIZATION_TYPE);
    const versions = Object.fromEntries(addresses.versions);
    this.protocol.closed();
    return versions;
  }
}

function named(name: string) {
  return { name, version: "", aliases: [] };
}

const name = fc.constantFrom(...NAMES);
const step = fc.oneof(
  fc.record({ do: fc.constant("connect" as const) }),
  fc.record({ do: fc.constant("disconnect" as const) }),
  fc.record({ do: fc.constant("put" as const), name, bad: fc.boolean() }),
  fc.record({ do: fc.constant("remove" as const), name }),
  fc.record({ do: fc.constant("lookup" as const), name: fc.oneof(name, name.map(aliasOf)) }),
  fc.record({ do: fc.constant("pass" as const), time: fc.integer({ min: 1, max: 60 }) }),
);

function take(walk: Walk, action: typeof step extends fc.Arbitrary<infer T> ? T : never): void {
  switch (action.do) {
    case "connect":
      return walk.connect();
    case "disconnect":
      return walk.disconnect();
    case "put":
      return walk.put(action.name, action.bad);
    case "remove":
      return walk.remove(action.name);
    case "lookup":
      return walk.lookUp(action.name);
    case "pass":
      return walk.pass(action.time);
    default:
      action satisfies never;
  }
}

Deno.test("property: the next stream lists the applied resources, and then the client has the resources of istiod", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (actions) => {
    const walk = new Walk(false);
    for (const action of actions) if (action.do !== "lookup") take(walk, action);
    assert.deepEqual(walk.listedVersions(), Object.fromEntries(walk.applied));
    walk.connect();
    const good = [...walk.istiod.resources].filter(([, { bad }]) => !bad);
    for (const [name, { version }] of good) assert.equal(walk.applied.get(name), version);
    for (const name of walk.applied.keys()) {
      assert.ok(walk.istiod.resources.has(name), `${name} was removed by istiod and kept`);
    }
  }));
});

Deno.test("property: xds Q14: also without a list, the client has the resources of istiod after a new stream", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), fc.array(step, { maxLength: 40 }), (before, after) => {
    const walk = new Walk(false);
    for (const action of before) if (action.do !== "lookup") take(walk, action);
    walk.refuseList();
    for (const action of after) if (action.do !== "lookup") take(walk, action);
    walk.disconnect();
    walk.connect();
    const { resources } = walk.istiod;
    for (const [name, { version, bad }] of resources) if (!bad) assert.equal(walk.applied.get(name), version);
    for (const name of walk.applied.keys()) assert.ok(resources.has(name), `${name} was removed by istiod and kept`);
    assert.equal(walk.protocol.count(ADDRESS_TYPE), walk.applied.size);
  }));
});

Deno.test("property: xds Q14: on demand, without a list, no removed resource is kept", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), fc.array(step, { maxLength: 40 }), (before, after) => {
    const walk = new Walk(true);
    for (const action of before) take(walk, action);
    walk.refuseList();
    for (const action of after) take(walk, action);
    walk.pass(1000);
    assert.equal(walk.results.length, walk.lookups);
    walk.disconnect();
    walk.connect();
    for (const name of walk.applied.keys()) {
      assert.ok(walk.istiod.resources.has(name), `${name} was removed by istiod and kept`);
    }
    assert.equal(walk.protocol.count(ADDRESS_TYPE), walk.applied.size);
  }));
});

Deno.test("property: every lookup ends once, and no name is requested twice on one stream", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 80 }), (actions) => {
    const walk = new Walk(true);
    for (const action of actions) take(walk, action);
    walk.pass(1000);
    assert.equal(walk.results.length, walk.lookups);
    assert.deepEqual(walk.listedVersions(), Object.fromEntries(walk.applied));
  }));
});

Deno.test("property: on demand, a known name was applied or rejected, and an absent name does not exist", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), name, (actions, lookedUp) => {
    const walk = new Walk(true);
    for (const action of actions) take(walk, action);
    walk.disconnect();
    walk.pass(1000);
    walk.connect();
    const before = walk.results.length;
    walk.lookUp(lookedUp);
    walk.pass(100);
    const [result] = walk.results.slice(before);
    const resource = walk.istiod.resources.get(lookedUp);
    if (result === "known") assert.ok(walk.applied.has(lookedUp) || resource?.bad);
    else assert.ok(result === "absent" && resource === undefined, `${result}`);
  }));
});

/** Random walks of the protocol beside a model of istiod that is as strict as the real one (`docs/spec/observed.md` O3). */
import fc from "fast-check";
import assert from "node:assert/strict";
import { DeltaProtocol } from "./delta_protocol.ts";
import type { DemandAnswer } from "./demands.ts";
import type { DeltaRequest } from "./requests.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "./resources.ts";

const NAMES = ["w0", "w1", "w2", "w3", "w4", "w5"];
/** By which addresses ask for them, too. */
const aliasOf = (name: string) => `/10.0.0.${name.slice(1)}`;

interface Resource {
  readonly version: string;
  readonly bad: boolean;
}

/** What a control plane holds, and what it has said on the stream at hand. */
class Istiod {
  readonly resources = new Map<string, Resource>();
  #subscribed: Set<string> | "everything" | null = null;
  /** Versions that the client has, as far as this stream knows. */
  #claimed = new Map<string, string>();
  readonly #asked = new Set<string>();

  /** The first request of a stream. */
  open(request: DeltaRequest & { kind: "initial" }): { changed: string[]; removed: string[] } {
    this.#claimed = new Map(request.versions);
    this.#asked.clear();
    this.#subscribed = request.mode === "wildcard" ? "everything" : new Set(this.#claimed.keys());
    const removed = [...this.#claimed.keys()].filter((name) => this.#find(name) === null);
    const wanted = request.mode === "wildcard" ? [...this.resources.keys()] : [...this.#claimed.keys()];
    const changed = wanted.map((name) => this.#find(name)).filter((name) => name !== null);
    return { changed: [...new Set(changed)].filter((name) => this.#isNews(name)), removed };
  }

  close(): void {
    this.#subscribed = null;
  }

  /** Null: no answer at all, as it counts the name as subscribed. */
  subscribe(name: string): { changed: string[]; removed: string[] } | null {
    assert.ok(!this.#asked.has(name), `${name} was asked for twice on one stream`);
    this.#asked.add(name);
    const subscribed = this.#subscribed;
    assert.ok(subscribed instanceof Set);
    const found = this.#find(name);
    if (subscribed.has(name)) return null;
    subscribed.add(name);
    if (found === null) return { changed: [], removed: [name] };
    subscribed.add(found);
    return { changed: [found], removed: [] };
  }

  /** Whether the client hears of a change of this resource. */
  pushes(name: string): boolean {
    return this.#subscribed === "everything" || this.#subscribed !== null && this.#subscribed.has(name);
  }

  #find(name: string): string | null {
    return NAMES.find((known) => this.resources.has(known) && (known === name || aliasOf(known) === name)) ?? null;
  }

  #isNews(name: string): boolean {
    return this.#claimed.get(name) !== this.resources.get(name)!.version;
  }
}

/** Both sides, with the time of the client. */
class Walk {
  readonly istiod = new Istiod();
  readonly protocol: DeltaProtocol;
  readonly answers: DemandAnswer[] = [];
  demands = 0;
  now = 0;
  /** What a sink would hold. */
  readonly applied = new Map<string, string>();
  #open = false;
  #version = 0;

  constructor(onDemand: boolean) {
    this.protocol = new DeltaProtocol(onDemand, {
      timeout: 100,
      waiters: 20,
      asked: 8,
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

  /** The control plane has had enough of long lists. */
  refuseClaims(): void {
    this.disconnect();
    this.protocol.forgoClaims();
  }

  put(name: string, bad: boolean): void {
    this.istiod.resources.set(name, { version: `v${++this.#version}`, bad });
    if (this.istiod.pushes(name)) this.#deliver({ changed: [name], removed: [] });
  }

  remove(name: string): void {
    if (this.istiod.resources.delete(name) && this.istiod.pushes(name)) this.#deliver({ changed: [], removed: [name] });
  }

  demand(name: string): void {
    this.demands++;
    const step = this.protocol.demand(name, this.now, (answer) => this.answers.push(answer));
    if (step === "reopen") {
      this.disconnect();
      this.connect();
    } else if (step === "ask") {
      assert.ok(this.#open, "a request without a stream");
      const answer = this.istiod.subscribe(name);
      if (answer !== null) this.#deliver(answer);
    }
  }

  pass(time: number): void {
    this.now += time;
    this.protocol.expireDemands(this.now);
  }

  #deliver({ changed, removed }: { changed: readonly string[]; removed: readonly string[] }): void {
    const resources = changed.map((name) => ({ name, ...this.istiod.resources.get(name)! }));
    const vanished = this.protocol.vanished(ADDRESS_TYPE, changed.map(named));
    let step = vanished.next();
    while (!step.done) step = vanished.next();
    const gone = [...removed, ...step.value];
    const rejections = resources.filter(({ bad }) => bad).map(({ name }) => ({ name, reason: "bad" }));
    for (const { name, version, bad } of resources) if (!bad) this.applied.set(name, version);
    for (const name of gone) this.applied.delete(name);
    const names = {
      type: ADDRESS_TYPE,
      changed: resources.map(({ name, version }) => ({ name, version, aliases: [aliasOf(name)] })),
      removed: gone,
    } as const;
    for (const _ of this.protocol.settle(names, rejections, this.now)) { /* to the end */ }
    const answer = this.protocol.answer(ADDRESS_TYPE, "n", rejections);
    assert.equal(answer.kind, rejections.length > 0 ? "nack" : "ack");
  }

  /** What the next stream would claim. */
  claims(): Record<string, string> {
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
  fc.record({ do: fc.constant("demand" as const), name: fc.oneof(name, name.map(aliasOf)) }),
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
    case "demand":
      return walk.demand(action.name);
    case "pass":
      return walk.pass(action.time);
    default:
      action satisfies never;
  }
}

Deno.test("property: whatever happens, the next stream claims what was applied, and then holds what istiod holds", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (actions) => {
    const walk = new Walk(false);
    for (const action of actions) if (action.do !== "demand") take(walk, action);
    assert.deepEqual(walk.claims(), Object.fromEntries(walk.applied));
    walk.connect();
    const good = [...walk.istiod.resources].filter(([, { bad }]) => !bad);
    for (const [name, { version }] of good) assert.equal(walk.applied.get(name), version);
    for (const name of walk.applied.keys()) assert.ok(walk.istiod.resources.has(name), `${name} is gone and was kept`);
  }));
});

Deno.test("property: xds Q14: without claims, too, a new stream ends with what istiod holds", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), fc.array(step, { maxLength: 40 }), (before, after) => {
    const walk = new Walk(false);
    for (const action of before) if (action.do !== "demand") take(walk, action);
    walk.refuseClaims();
    for (const action of after) if (action.do !== "demand") take(walk, action);
    walk.disconnect();
    walk.connect();
    const { resources } = walk.istiod;
    for (const [name, { version, bad }] of resources) if (!bad) assert.equal(walk.applied.get(name), version);
    for (const name of walk.applied.keys()) assert.ok(resources.has(name), `${name} is gone and was kept`);
    assert.equal(walk.protocol.count(ADDRESS_TYPE), walk.applied.size);
  }));
});

Deno.test("property: xds Q14: on demand, without claims, nothing is kept that a stream knows nothing of", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), fc.array(step, { maxLength: 40 }), (before, after) => {
    const walk = new Walk(true);
    for (const action of before) take(walk, action);
    walk.refuseClaims();
    for (const action of after) take(walk, action);
    walk.pass(1000);
    assert.equal(walk.answers.length, walk.demands);
    walk.disconnect();
    walk.connect();
    for (const name of walk.applied.keys()) assert.ok(walk.istiod.resources.has(name), `${name} is gone and was kept`);
    assert.equal(walk.protocol.count(ADDRESS_TYPE), walk.applied.size);
  }));
});

Deno.test("property: every demand is answered once, and no name is asked for twice on one stream", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 80 }), (actions) => {
    const walk = new Walk(true);
    for (const action of actions) take(walk, action);
    walk.pass(1000);
    assert.equal(walk.answers.length, walk.demands);
    assert.deepEqual(walk.claims(), Object.fromEntries(walk.applied));
  }));
});

Deno.test("property: on demand, known means that it was applied or cannot be used, and absent that there is no such thing", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), name, (actions, wanted) => {
    const walk = new Walk(true);
    for (const action of actions) take(walk, action);
    walk.disconnect();
    walk.pass(1000);
    walk.connect();
    const before = walk.answers.length;
    walk.demand(wanted);
    walk.pass(100);
    const [answer] = walk.answers.slice(before);
    const resource = walk.istiod.resources.get(wanted);
    if (answer === "known") assert.ok(walk.applied.has(wanted) || resource?.bad);
    else assert.ok(answer === "absent" && resource === undefined, `${answer}`);
  }));
});

/** The certificate manager with an authority that pushes updates (`docs/spec/identity-spire.md` 4.8). */
import { strict as assert } from "node:assert";
import { CertificateError, type CertificateSubject, type IssuedCertificate, type UpdateListener } from "./authority.ts";
import { CertificateManager } from "./certificate_manager.ts";
import { Priority } from "./fetch_queue.ts";
import { logManagerEvents } from "./manager_events.ts";
import { TestAuthority, testSubject } from "./testkit/authority.ts";
import { TestClock } from "./testkit/clock.ts";
import { START } from "./testkit/manager.ts";

class PushingAuthority extends TestAuthority {
  listener: UpdateListener = () => {};
  readonly released: string[] = [];
  /** If not null, the result of every fetch. */
  held: IssuedCertificate | null = null;
  readonly concurrency = 100;
  readonly #abort = new Map<string, () => void>();

  onUpdate(listener: UpdateListener): void {
    this.listener = listener;
  }

  release(subject: CertificateSubject): void {
    this.released.push(subject.id);
    this.#abort.get(subject.id)?.();
  }

  override async fetch(subject: CertificateSubject, signal: AbortSignal): Promise<IssuedCertificate> {
    const released = Promise.withResolvers<never>();
    this.#abort.set(subject.id, () => released.reject(new CertificateError("released", "FORGOTTEN")));
    const issued = await Promise.race([super.fetch(subject, signal), released.promise]);
    this.#abort.delete(subject.id);
    return this.held ??= issued;
  }
}

function setUp() {
  const clock = new TestClock(START);
  const authority = new PushingAuthority(clock);
  authority.delay = 0;
  const lines: string[] = [];
  const changes: string[] = [];
  const manager = new CertificateManager({
    authority,
    clock,
    random: () => 0.5,
    events: logManagerEvents((level, message) => lines.push(`${level} ${message}`)),
    onChange: (_, state) =>
      changes.push(state === null ? "removed" : state.at === "available" ? state.certificate.serial : state.at),
  });
  return { clock, authority, manager, lines, changes };
}

async function fetched({ clock, manager }: ReturnType<typeof setUp>, subject: CertificateSubject) {
  const coming = manager.get(subject, Priority.RealTime);
  await clock.advance(0);
  return await coming;
}

function next(held: IssuedCertificate, serial: string, notAfter: number): IssuedCertificate {
  return { ...held, serial, notBefore: notAfter - 100_000, notAfter };
}

Deno.test("manager, identity P27: a pushed certificate replaces the one held without a request", async () => {
  const bench = setUp();
  const { clock, authority, manager, changes } = bench;
  const subject = testSubject("a");
  const first = await fetched(bench, subject);
  await clock.advance(10_000);
  authority.held = next(first, "2", first.notAfter + 10_000);
  authority.listener(subject, authority.held);
  assert.equal(manager.current(subject)?.serial, "2");
  assert.deepEqual(changes, ["1", "2"]);
  // The half-life of the first one passes unused.
  await clock.advance(49_000);
  assert.equal(authority.calls.length, 1);
  manager.close();
});

Deno.test("manager, observed O21: a renewal that returns the same certificate is no change", async () => {
  const bench = setUp();
  const { clock, manager, authority, changes } = bench;
  await fetched(bench, testSubject("a"));
  await clock.advance(60_000);
  assert.ok(authority.calls.length > 1);
  assert.deepEqual(changes, ["1"]);
  manager.close();
});

Deno.test("manager, identity P28, S25: callers do not get a withdrawn certificate, but get a later one", async () => {
  const bench = setUp();
  const { authority, manager, changes, lines } = bench;
  const subject = testSubject("a");
  const first = await fetched(bench, subject);
  authority.listener(subject, new CertificateError("no registration entry", "NO_ENTRY"));
  assert.equal(manager.current(subject), null);
  await assert.rejects(manager.get(subject, Priority.RealTime), /no registration entry/);
  assert.match(lines.at(-1)!, /^warn certificate fetch failed \(no registration entry\) and no valid existing/);
  authority.listener(subject, next(first, "2", first.notAfter));
  assert.equal((await manager.get(subject, Priority.RealTime)).serial, "2");
  assert.deepEqual(changes, ["1", "unavailable", "2"]);
  manager.close();
});

Deno.test("manager, identity S13: a pushed certificate with another id is refused", async () => {
  const bench = setUp();
  const { authority, manager } = bench;
  const subject = testSubject("a");
  const first = await fetched(bench, subject);
  authority.listener(subject, { ...next(first, "2", first.notAfter), id: testSubject("b").id });
  assert.equal(manager.current(subject)?.serial, "1");
  manager.close();
});

Deno.test("manager, identity S23: a removed subject is released, and again when an update for it arrives", async () => {
  const bench = setUp();
  const { authority, manager } = bench;
  const subject = testSubject("a");
  const first = await fetched(bench, subject);
  manager.remove(subject);
  authority.listener(subject, next(first, "2", first.notAfter));
  assert.deepEqual(authority.released, [subject.id, subject.id]);
  assert.equal(manager.size, 0);
  manager.close();
});

Deno.test("manager: removed during its fetch and requested again, it is fetched again", async () => {
  const { clock, authority, manager } = setUp();
  authority.delay = 1000;
  const subject = testSubject("a");
  const early = manager.get(subject, Priority.RealTime);
  manager.remove(subject);
  await assert.rejects(early, /no longer needed/);
  const again = manager.get(subject, Priority.RealTime);
  await clock.advance(3000);
  assert.equal((await again).id, subject.id);
  assert.equal(authority.calls.length, 2);
  manager.close();
});

Deno.test("manager, identity 4.8: the authority's own concurrency replaces the limit of eight fetches", async () => {
  const { clock, authority, manager } = setUp();
  authority.delay = 1000;
  for (let i = 0; i < 50; i++) manager.get(testSubject(`id-${i}`), Priority.RealTime).catch(() => {});
  await clock.advance(0);
  assert.equal(authority.calls.length, 50);
  manager.close();
  await clock.advance(1000);
});

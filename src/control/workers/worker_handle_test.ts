import { strict as assert } from "node:assert";
import type { CertificateSubject } from "../../identity/authority.ts";
import { parseSpiffeId } from "../../identity/spiffe_id.ts";
import { EFD_CLOEXEC, EFD_NONBLOCK } from "../../os/constants.ts";
import { libc } from "../../os/libc_sockets.ts";
import { Metrics } from "../../telemetry/metrics.ts";
import { FakeWorker } from "../testkit/fake_worker.ts";
import { WorkerHandle } from "./worker_handle.ts";

function bed() {
  const worker = new FakeWorker();
  const requested: CertificateSubject[] = [], deaths: string[] = [];
  const handle = new WorkerHandle(worker, {
    onCertificateRequest: (subject) => requested.push(subject),
    onPod() {},
    onResourcesApplied() {},
    onLookup() {},
    onDeath: (message) => deaths.push(message),
  });
  const eventfd = libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  const counter = new BigUint64Array(1);
  return {
    worker,
    handle,
    requested,
    deaths,
    eventfd,
    /** How often the worker was woken since the last time. */
    woken: () => libc.read(eventfd, new Uint8Array(counter.buffer), 8) === 8 ? Number(counter[0]) : 0,
    [Symbol.dispose]: () => void libc.close(eventfd),
  };
}

Deno.test("a worker is woken once for each message, also for those that were sent before it could be", async () => {
  using here = bed();
  const { worker, handle } = here;
  handle.send({ kind: "log-filter", filter: "info" });
  handle.send({ kind: "listen", announce: true });
  assert.equal(here.woken(), 0);
  worker.says({ kind: "ready", wake: here.eventfd, library: "OpenSSL 3.5.5" });
  assert.equal(await handle.ready, "OpenSSL 3.5.5");
  assert.equal(here.woken(), 2);
  handle.send({ kind: "mesh", changes: [] });
  assert.equal(here.woken(), 1);
  assert.deepEqual(worker.sent.map(({ kind }) => kind), ["log-filter", "listen", "mesh"]);
});

Deno.test("a worker that cannot start rejects with its reason, and nothing is left unhandled", async () => {
  using here = bed();
  here.worker.says({ kind: "failed", message: "libssl.so.3 is missing" });
  await assert.rejects(here.handle.ready, /^Error: libssl\.so\.3 is missing$/);
});

Deno.test("a worker that cannot bind rejects what waits for its listeners", async () => {
  using here = bed();
  here.worker.says({ kind: "ready", wake: here.eventfd, library: "x" });
  await here.handle.ready;
  here.worker.says({ kind: "failed", message: "failed to bind to address [::]:15001" });
  await assert.rejects(here.handle.listening, /failed to bind/);
});

Deno.test("snapshots answer the request they belong to, in any order", async () => {
  using here = bed();
  const { worker, handle } = here;
  const first = Array.fromAsync(handle.metrics()), second = Array.fromAsync(handle.metrics());
  const parts = Array.from({ length: 3 }, () => new Metrics().snapshot());
  const says = (request: number, part: number, ended: boolean) =>
    worker.says({ kind: "snapshot", request, slice: { part: parts[part]!, ended } });
  says(1, 1, true);
  says(1, 0, true);
  says(0, 0, false);
  const asked = worker.sent.length;
  while (worker.sent.length === asked) await Promise.resolve();
  says(0, 2, true);
  assert.deepEqual((await first).map((part) => parts.indexOf(part)), [0, 2]);
  assert.deepEqual((await second).map((part) => parts.indexOf(part)), [1]);
  assert.deepEqual(worker.sent.map((message) => message.kind === "snapshot" && message.request), [0, 1, 0]);
});

Deno.test("explanations and profiles answer the request they belong to", async () => {
  using here = bed();
  const { worker, handle } = here;
  const question = { from: "a", to: "b:1" };
  const [explained, profile] = [handle.explain(question), handle.profile()];
  assert.deepEqual(worker.sent, [
    { kind: "explain", request: { request: 0, question } },
    { kind: "profile", order: { kind: "stop", request: 0 } },
  ]);
  const answer = { kind: "error", error: { code: "FAILED", message: "no", candidates: [] } } as const;
  worker.says({ kind: "profile", answer: { request: 7, profile: [] } });
  worker.says({ kind: "profile", answer: { request: 0, profile: [] } });
  worker.says({ kind: "explained", reply: { request: 0, answer } });
  assert.equal(await explained, answer);
  assert.deepEqual(await profile, []);
});

Deno.test("a dump goes to the worker and comes from it", async () => {
  using here = bed();
  const { worker, handle } = here;
  const slice = handle.dump().section("policies").next();
  assert.deepEqual(worker.sent.map((message) => message.kind === "dump" && message.request.kind), [
    "dump-begin",
    "dump-more",
  ]);
  worker.says({ kind: "dump", answer: { kind: "dump-slice", dump: 0, text: "[]", ended: true } });
  assert.equal((await slice).value, "[]");
});

Deno.test("listening, drained and requested certificates are passed on", async () => {
  using here = bed();
  const { worker, handle, requested } = here;
  worker.says({ kind: "listening" });
  await handle.listening;
  const subject = { id: parseSpiffeId("spiffe://td/ns/ns/sa/sa")!, workloadUid: null };
  worker.says({ kind: "certificate-request", subject });
  assert.deepEqual(requested, [subject]);
  handle.send({ kind: "drain", mode: { kind: "immediate" } });
  worker.says({ kind: "drained" });
  await handle.drained;
  handle.terminate();
  assert.equal(worker.terminated, true);
});

Deno.test("a worker's death is told with its error and does not take the process down by itself", () => {
  using here = bed();
  const event = here.worker.dies("Uncaught Error: boom");
  assert.deepEqual(here.deaths, ["a data-plane worker died: Uncaught Error: boom"]);
  assert.equal(event.defaultPrevented, true);
});

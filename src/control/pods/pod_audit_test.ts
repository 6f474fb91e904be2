import { strict as assert } from "node:assert";
import type { AuditState, FoundPod } from "../../inpod/audit.ts";
import type { PodUid } from "../../inpod/pod.ts";
import { MemoryScheduler } from "../../net/testkit/memory_scheduler.ts";
import { testLog } from "../../telemetry/testkit/log.ts";
import { PodAudit } from "./pod_audit.ts";

function bed() {
  const scheduler = new MemoryScheduler();
  const log = testLog();
  const audits = { value: 0 }, differences = { value: 0 };
  const names = Array.from({ length: 25 }, (_, i) => `p${i}`);
  const workload = { name: "a", namespace: "app", serviceAccount: "a" };
  const books: AuditState = {
    pods: names.map((uid) => ({ uid: uid as PodUid, workload, state: "Up", namespace: uid })),
    instances: names.map((uid, i) => ({ instance: i, uid, namespace: uid, up: [0] })),
    lastInstance: names.length,
  };
  const whole: FoundPod[] = names.map((uid, i) => ({ instance: i, namespace: uid, faults: [] }));
  const here = { found: whole, answer: Promise.resolve() };
  const audit = new PodAudit({
    scheduler,
    books: () => books,
    ask: () => here.answer.then(() => [here.found]),
    log: log.log.scope("ztunnel::inpod::audit"),
    audits,
    differences,
  });
  audit.start();
  const lines = () => log.lines().map((line) => line.split("\t").slice(1).join(" ").trimEnd());
  return { scheduler, audit, audits, differences, whole, here, lines };
}

Deno.test("an audit every half minute, silent where nothing differs", async () => {
  const { scheduler, audit, audits, differences, lines } = bed();
  await scheduler.settle(29_999);
  assert.equal(audits.value, 0);
  await scheduler.settle(60_001);
  assert.deepEqual([audits.value, differences.value, lines()], [3, 0, []]);
  audit.stop();
  await scheduler.settle(60_000);
  assert.equal(audits.value, 3);
});

Deno.test("a difference is told when it begins and when it is over, not every time", async () => {
  const { scheduler, audit, differences, whole, here, lines } = bed();
  here.found = whole.slice(1);
  await scheduler.settle(90_000);
  assert.equal(differences.value, 1);
  assert.deepEqual(audit.differences, [{ uid: "p0", text: "worker 0 does not have it" }]);
  const first = 'warn inpod::audit pods audit: worker 0 does not have it uid="p0"';
  assert.deepEqual(lines(), [first]);
  here.found = whole;
  await scheduler.settle(30_000);
  assert.deepEqual(lines(), [first, "info inpod::audit pods audit: everything is as it should be again"]);
  audit.stop();
});

Deno.test("many differences are counted, and some are told", async () => {
  const { scheduler, audit, differences, here, lines } = bed();
  here.found = [];
  await scheduler.settle(30_000);
  assert.equal(differences.value, 25);
  assert.equal(lines().length, 21);
  assert.equal(lines().at(-1), "warn inpod::audit pods audit: 5 more differences");
  audit.stop();
});

Deno.test("workers that do not answer are a difference; a late answer does no harm", async () => {
  const { scheduler, audit, differences, here, lines } = bed();
  const { promise, resolve } = Promise.withResolvers<void>();
  here.answer = promise;
  await scheduler.settle(60_000);
  assert.equal(differences.value, 1);
  assert.deepEqual(lines(), ["warn inpod::audit pods audit: the workers have not answered the last audit"]);
  resolve();
  await scheduler.settle();
  assert.equal(differences.value, 0);
  audit.stop();
});

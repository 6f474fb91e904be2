import { strict as assert } from "node:assert";
import { guardProcess, namesPod, processProblem, type ProcessTable, startTimeOf } from "./process_guard.ts";
import { systemProcesses } from "./process_table.ts";

const UID = "0c4a3b52-1d8e-4b0e-9a52-5a7f1f7b6d11";
const CGROUP = `0::/kubepods.slice/kubepods-pod${UID.replaceAll("-", "_")}.slice/cri-containerd-ab.scope\n`;
const pod = { uid: UID, namespace: "default", name: "app-0", networkNamespace: "4:100" };

function stat(startTime: string, { state = "S", name = "app" } = {}): string {
  return `4321 (${name}) ${state} ${Array.from({ length: 18 }, (_, i) => i).join(" ")} ${startTime} 0 0\n`;
}

interface Facts {
  readonly stat?: string;
  readonly cgroup?: string;
  readonly network?: string;
}

function table(processes: Record<number, Facts>, seesNode = true): ProcessTable {
  return {
    seesNode,
    ownPid: 77,
    read: (pid, file) => processes[pid]?.[file] ?? null,
    networkNamespace: (pid) => processes[pid]?.network ?? null,
  };
}

const GOOD = { stat: stat("900"), cgroup: CGROUP, network: "4:100" };
const refusal = (text: string) => ({ message: `unable to determine pid for workload: ${text}`, code: "NO_PROCESS" });

Deno.test("identity 4.3: a process of the pod is accepted", () => {
  assert.equal(guardProcess(4321, UID, pod, table({ 4321: GOOD })), "900");
  assert.equal(guardProcess(4321, UID, null, table({ 4321: GOOD })), "900");
});

for (const pid of [0, 1, -5, 1.5, NaN, 77]) {
  Deno.test(`identity S20, R10: process ${pid} is refused`, () => {
    const note = pid === 77 ? ", which is the proxy itself" : "";
    const expected = refusal(`the container runtime reports process ${pid}${note}`);
    assert.throws(() => guardProcess(pid, UID, pod, table({}, false)), expected);
  });
}

Deno.test("identity 4.3: a process in the control group of another pod is refused", () => {
  const processes = table({ 4321: { ...GOOD, cgroup: "0::/kubepods.slice/other.slice\n" } });
  const expected = refusal(`process 4321 is in no control group of pod ${UID}`);
  assert.throws(() => guardProcess(4321, UID, pod, processes), expected);
});

Deno.test("identity S22: a process in another network namespace is refused", () => {
  const processes = table({ 4321: { ...GOOD, network: "4:101" } });
  assert.throws(() => guardProcess(4321, UID, pod, processes), (error: Error) => {
    assert.match(error.message, /process 4321 is in network namespace 4:101, while the CNI agent said .* 4:100$/);
    return true;
  });
});

Deno.test("identity 4.3: a process that has ended or is a zombie is refused", () => {
  for (const facts of [{}, { ...GOOD, stat: stat("900", { state: "Z" }) }]) {
    const expected = refusal(`process 4321 of pod ${UID} has ended`);
    assert.throws(() => guardProcess(4321, UID, pod, table({ 4321: facts })), expected);
  }
});

Deno.test("identity 4.3: a proxy in its own pid namespace skips the checks", () => {
  assert.equal(guardProcess(4321, UID, pod, table({ 4321: { stat: "of somebody else" } }, false)), null);
  assert.equal(processProblem(4321, null, table({}, false)), null);
});

Deno.test("identity S19: a pid that was reused by another process is detected", () => {
  const processes = table({ 4321: GOOD });
  assert.equal(processProblem(4321, "900", processes), null);
  assert.match(processProblem(4321, "899", processes)!.message, /pid 4321 belongs to another process now/);
  assert.match(processProblem(4322, "900", processes)!.message, /process 4322 has ended/);
});

Deno.test("identity 4.3: both forms of a uid in a control group are accepted, an empty one is not", () => {
  assert.ok(namesPod(`0::/kubepods/burstable/pod${UID}/abc`, UID));
  assert.ok(namesPod(CGROUP, UID));
  assert.ok(!namesPod(CGROUP, ""));
});

Deno.test("identity 4.3: the name of a process cannot change the parsed start time", () => {
  const processes = table({ 4321: { stat: stat("900", { name: "x) S 1 2 3" }) } });
  assert.equal(startTimeOf(4321, processes), "900");
  assert.equal(startTimeOf(4321, table({ 4321: { stat: "garbage" } })), null);
});

Deno.test("identity 4.3: the system's process table has this process", () => {
  const processes = systemProcesses();
  assert.match(startTimeOf(Deno.pid, processes) ?? "", /^\d+$/);
  assert.match(processes.networkNamespace(Deno.pid) ?? "", /^\d+:\d+$/);
  assert.equal(processes.read(999_999_999, "stat"), null);
});

import { strict as assert } from "node:assert";
import { running, type ScriptedContainer, ScriptedRuntime } from "../../../testkit/spire/cri.ts";
import { tempDir } from "../../../lab/temp_dir.ts";
import { eventually } from "../../../lab/eventually.ts";
import { openChannel } from "../../grpc/open_channel.ts";
import { parseTarget } from "../../grpc/target.ts";
import { TestClock } from "../../identity/testkit/clock.ts";
import { SYSTEM_CLOCK } from "../../net/clock.ts";
import { pidOfContainer } from "./container_info.ts";
import { type ContainerRuntime, containerRuntime } from "./container_runtime.ts";

const UID = "0c4a3b52-1d8e-4b0e-9a52-5a7f1f7b6d11";
const signal = new AbortController().signal;
const TIME = { clock: SYSTEM_CLOCK, random: () => 0.5 };

function client(...sockets: readonly string[]): ContainerRuntime {
  return containerRuntime({
    ...TIME,
    sockets,
    dial: (path) => openChannel({ target: parseTarget(`unix://${path}`)!, security: null, headers: [], token: null }),
    exists: (path) => Deno.lstatSync(path).isSocket ?? false,
  });
}

async function withRuntime(run: (runtime: ScriptedRuntime, cri: ContainerRuntime) => Promise<void>): Promise<void> {
  using folder = tempDir();
  await using runtime = await ScriptedRuntime.start(`${folder.path}/cri.sock`);
  const cri = client(runtime.path);
  try {
    await run(runtime, cri);
  } finally {
    cri.close();
  }
}

const exited: ScriptedContainer = { id: "b", state: "EXITED", info: { info: '{"pid":0}' } };
const created: ScriptedContainer = { id: "c", state: "CREATED" };
const info = (text: string | null): ScriptedContainer => ({
  id: "a",
  state: "RUNNING",
  info: text === null ? { other: "{}" } : { info: text },
});

interface Vector {
  readonly id: string;
  readonly ready?: boolean;
  readonly label?: string;
  readonly containers: readonly ScriptedContainer[] | null;
  readonly expected: number | RegExp;
}

const VECTORS: readonly Vector[] = [
  {
    id: "R1",
    containers: null,
    expected: /CRI error: No sandbox found for pod UID: 0c4a.*CONTAINER_RUNTIME_SOCK_PATH/,
  },
  { id: "R2", containers: [running("a", 4321)], expected: 4321 },
  { id: "R3, R11", ready: false, containers: [running("a", 4321)], expected: /No sandbox found for pod UID/ },
  { id: "R4", containers: [exited, created], expected: /CRI error: No running containers found for pod UID/ },
  { id: "R5", containers: [created, exited, running("a", 9999)], expected: 9999 },
  { id: "R6", containers: [info(null)], expected: /CRI error: Container info not found for container: a$/ },
  { id: "R7", containers: [info("not json")], expected: /Failed to parse container info for container a: not JSON/ },
  { id: "R7", containers: [info("{}")], expected: /Failed to parse container info for container a: missing/ },
  { id: "R7", containers: [info('{"pid":"1"}')], expected: /Failed to parse container info for container a/ },
  { id: "R7", containers: [info('{"pid":3000000000}')], expected: /Failed to parse container info for container a/ },
  { id: "R7", containers: [info("[]")], expected: /Failed to parse container info for container a/ },
  { id: "R8", containers: [info('{"pid":7,"extra":{}}')], expected: 7 },
  { id: "R9", containers: [running("a", 11), running("b", 12)], expected: 11 },
  { id: "4.3 first usable", containers: [info("{}"), running("b", 12)], expected: 12 },
  {
    id: "S21",
    label: "other",
    containers: [running("a", 11)],
    expected: /asked for pod UID 0c4a.*, got the sandbox of other/,
  },
];
for (const [index, { id, ready, label, containers, expected }] of VECTORS.entries()) {
  Deno.test(`identity ${id} (${index}): ${expected}`, () =>
    withRuntime(async (runtime, cri) => {
      if (containers !== null) {
        runtime.add({
          uid: UID,
          containers,
          ...(ready === undefined ? {} : { ready }),
          ...(label === undefined ? {} : { label }),
        });
      }
      if (typeof expected === "number") assert.equal((await cri.findProcess(UID, 0, signal)).pid, expected);
      else await assert.rejects(cri.findProcess(UID, 0, signal), expected);
    }));
}

Deno.test("identity 4.3: the process of a known container needs one call", () =>
  withRuntime(async (runtime, cri) => {
    runtime.add({ uid: UID, containers: [running("a", 11)] });
    assert.equal(await cri.pidOf("a", signal), 11);
    assert.deepEqual(runtime.calls, ["ContainerStatus"]);
    await assert.rejects(cri.pidOf("gone", signal), /CRI error: container "gone": not found/);
  }));

Deno.test("identity 4.3: an aborted call to a runtime that hangs ends", () =>
  withRuntime(async (runtime, cri) => {
    runtime.mute = true;
    const reason = new Error("pod deleted");
    const abort = new AbortController();
    const waiting = cri.findProcess(UID, 0, abort.signal);
    abort.abort(reason);
    await assert.rejects(waiting, (error) => error === reason);
  }));

Deno.test("identity 4.3: running containers are used in turn, the oldest first", () =>
  withRuntime(async (runtime, cri) => {
    runtime.add({ uid: UID, containers: [running("b", 12), exited, running("a", 11)] });
    const found = async (turn: number) => {
      const { pid, name, index, count } = await cri.findProcess(UID, turn, signal);
      return [pid, name, index, count];
    };
    assert.deepEqual(await found(0), [12, "name-b", 0, 2]);
    assert.deepEqual(await found(1), [11, "name-a", 1, 2]);
    assert.deepEqual(await found(2), [11, "name-a", 1, 2], "fewer containers run than before");
  }));

Deno.test("identity 4.3: a container's start is reported at once by runtimes that have events", () =>
  withRuntime(async (runtime, cri) => {
    const ending = new AbortController();
    const started: string[] = [];
    cri.watch((uid) => started.push(uid), ending.signal);
    await eventually("the subscription", () => runtime.watchers === 1);
    runtime.emit(UID, "CREATED");
    runtime.emit(UID, "STARTED");
    await eventually("the event", () => started.length > 0);
    assert.deepEqual(started, [UID]);
    ending.abort();
    await eventually("the end of the subscription", () => runtime.watchers === 0);
  }));

Deno.test("identity 4.3: events are requested only once from a runtime that has none", async () => {
  using folder = tempDir();
  await using runtime = await ScriptedRuntime.start(`${folder.path}/cri.sock`);
  runtime.hasEvents = false;
  const clock = new TestClock(0);
  const dial = (path: string) =>
    openChannel({ target: parseTarget(`unix://${path}`)!, security: null, headers: [], token: null });
  const cri = containerRuntime({ ...TIME, clock, sockets: [runtime.path], dial, exists: () => true });
  cri.watch(() => {}, signal);
  await eventually("the question", () => runtime.refusedWatchers === 1);
  await eventually("its end", async () => {
    await clock.advance(0);
    return clock.timers === 0;
  });
  await clock.advance(120_000);
  assert.equal(runtime.refusedWatchers, 1);
  cri.close();
});

Deno.test("identity 4.1: the first socket that exists is used; without any the setting is named", async () => {
  using folder = tempDir();
  await using runtime = await ScriptedRuntime.start(`${folder.path}/crio.sock`);
  runtime.add({ uid: UID, containers: [running("a", 11)] });
  const exists = (path: string) => path === runtime.path;
  const dial = (path: string) =>
    openChannel({ target: parseTarget(`unix://${path}`)!, security: null, headers: [], token: null });
  const cri = containerRuntime({ ...TIME, sockets: ["/nowhere/containerd.sock", runtime.path], dial, exists });
  assert.equal((await cri.findProcess(UID, 0, signal)).pid, 11);
  cri.close();
  const none = containerRuntime({ ...TIME, sockets: ["/nowhere/containerd.sock"], dial, exists: () => false });
  await assert.rejects(
    none.findProcess(UID, 0, signal),
    /no container runtime: \/nowhere.* CONTAINER_RUNTIME_SOCK_PATH/,
  );
});

Deno.test("identity 4.3: a socket without a listener", async () => {
  const cri = containerRuntime({
    ...TIME,
    sockets: ["/nowhere/containerd.sock"],
    dial: (path) => openChannel({ target: parseTarget(`unix://${path}`)!, security: null, headers: [], token: null }),
    exists: () => true,
  });
  await assert.rejects(
    cri.findProcess(UID, 0, signal),
    /cannot reach the container runtime at .*CONTAINER_RUNTIME_SOCK_PATH/,
  );
  cri.close();
});

Deno.test("identity R7: malformed documents", () => {
  assert.match(String(pidOfContainer("a", JSON.parse('{"__proto__":"x"}'))), /not found/);
  assert.match(String(pidOfContainer("a", { info: "null" })), /missing field/);
  assert.match(String(pidOfContainer("a", { info: '{"pid":1.5}' })), /no 32-bit integer/);
});

import { strict as assert } from "node:assert";
import protobuf from "../../proto/runtime.ts";
import type { StackNode } from "../telemetry/stack_profile.ts";
import { encodePprof } from "./pprof.ts";
import { pprofRoutes, type TakeProfile } from "./pprof_routes.ts";
import type { RequestHead } from "./request_head.ts";
import { isStreamed } from "./response.ts";

function node(id: number, functionName: string, count: number, ...children: number[]): StackNode {
  const callFrame = { functionName, url: `file:///${functionName}.ts`, lineNumber: id };
  return { id, callFrame, count, bytes: count * 1000, children };
}

const PROFILE = [
  node(1, "(root)", 0, 2, 5, 6),
  node(2, "outer", 1, 3, 4),
  node(3, "inner", 2),
  node(4, "", 3),
  node(5, "(program)", 99),
  node(6, "(garbage collector)", 1),
];

/** A message as its fields, in order; numbers as they stand, the rest as bytes. */
function fieldsOf(bytes: Uint8Array): [number, number | Uint8Array][] {
  const reader = protobuf.Reader.create(bytes);
  const fields: [number, number | Uint8Array][] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    fields.push([tag >>> 3, (tag & 7) === 0 ? Number(reader.uint64()) : reader.bytes()]);
  }
  return fields;
}

/** What a reader of pprof makes of it: stacks with their numbers, innermost function first. */
function read(bytes: Uint8Array) {
  const fields = fieldsOf(bytes);
  const of = (field: number) => fields.filter(([number]) => number === field).map(([, value]) => value);
  const messages = (field: number) => of(field).map((value) => new Map(fieldsOf(value as Uint8Array)));
  const strings = of(6).map((value) => new TextDecoder().decode(value as Uint8Array));
  const packed = (value: unknown) => {
    const reader = protobuf.Reader.create(value as Uint8Array);
    const list: number[] = [];
    while (reader.pos < reader.len) list.push(Number(reader.uint64()));
    return list;
  };
  const text = (value: unknown) => strings[Number(value ?? 0)];
  const functions = new Map(messages(5).map((each) => [each.get(1), `${text(each.get(2))} ${text(each.get(4))}`]));
  const locations = new Map(
    messages(4).map((each) => {
      const line = new Map(fieldsOf(each.get(4) as Uint8Array));
      return [each.get(1) as number, `${functions.get(line.get(1)!)}:${line.get(2)}`];
    }),
  );
  return {
    types: messages(1).map((each) => `${text(each.get(1))} ${text(each.get(2))}`),
    period: of(12),
    duration: of(10),
    samples: messages(2).map((each) => {
      const label = new Map(fieldsOf(each.get(3) as Uint8Array));
      return {
        stack: packed(each.get(1)).map((id) => locations.get(id)),
        values: packed(each.get(2)),
        label: `${text(label.get(1))}=${text(label.get(2))}`,
      };
    }),
  };
}

Deno.test("a profile has the stacks and values that pprof expects", () => {
  const bytes = encodePprof([{ thread: "main", profile: PROFILE }, {
    thread: "data-plane-1",
    profile: PROFILE.slice(0, 2),
  }], {
    what: "cpu",
    period: 10_000_000,
    start: 1_700_000_000_000,
    duration: 1000,
  });
  const outer = "outer file:///outer.ts:3";
  assert.deepEqual(read(bytes), {
    types: ["samples count", "wall nanoseconds"],
    period: [10_000_000],
    duration: [1_000_000_000],
    samples: [
      { stack: [outer], values: [1, 10_000_000], label: "thread=main" },
      { stack: ["inner file:///inner.ts:4", outer], values: [2, 20_000_000], label: "thread=main" },
      { stack: ["(anonymous) file:///.ts:5", outer], values: [3, 30_000_000], label: "thread=main" },
      {
        stack: ["(garbage collector) file:///(garbage collector).ts:7"],
        values: [1, 10_000_000],
        label: "thread=main",
      },
      { stack: [outer], values: [1, 10_000_000], label: "thread=data-plane-1" },
    ],
  });
});

Deno.test("a profile of memory has the bytes, and nothing of it counts as idle", () => {
  const threads = [{ thread: "main", profile: [node(1, "(root)", 0, 2, 3), node(2, "(program)", 2), node(3, "f", 1)] }];
  const read1 = (what: "live-memory" | "all-memory") =>
    read(encodePprof(threads, { what, period: 32_768, start: 0, duration: 1000 }));
  const { types, period, samples } = read1("live-memory");
  assert.deepEqual([types, period], [["samples count", "inuse_space bytes"], [32_768]]);
  assert.deepEqual(samples.map(({ values }) => values), [[2, 2000], [1, 1000]]);
  assert.deepEqual(read1("all-memory").types, ["samples count", "alloc_space bytes"]);
});

function ask(routes: ReturnType<typeof pprofRoutes>, target: string) {
  const [path = "", query = ""] = target.split("?", 2);
  const head: RequestHead = {
    method: "GET",
    path,
    query,
    headers: new Map(),
    minor: 1,
    keepAlive: true,
    bodyLength: 0,
    waitsWithBody: false,
  };
  return routes[path]!(head);
}

const NO_PROFILE: TakeProfile = () => Promise.resolve([]);
const BAD: readonly (readonly [query: string, name: string, range: string])[] = [
  ["seconds=0", "seconds", "1-300"],
  ["seconds=301", "seconds", "1-300"],
  ["seconds=x", "seconds", "1-300"],
  ["seconds=", "seconds", "1-300"],
  ["frequency=1001", "frequency", "1-1000"],
  ["frequency=-1", "frequency", "1-1000"],
];
for (const [query, name, range] of BAD) {
  Deno.test(`config 4.2 /debug/pprof/profile?${query}`, async () => {
    const response = await ask(pprofRoutes(NO_PROFILE, () => 0), `/debug/pprof/profile?${query}`);
    assert.ok(!isStreamed(response));
    assert.deepEqual([response.status, response.body], [400, `invalid ${name} value; expected ${range}\n`]);
  });
}

Deno.test("config 4.2 by default a profile takes ten seconds, with a hundred samples per second", async () => {
  const asked: unknown[][] = [];
  const routes = pprofRoutes((...args) => (asked.push(args), Promise.resolve([])), () => 0);
  const response = await ask(routes, "/debug/pprof/profile");
  assert.ok(!isStreamed(response));
  assert.deepEqual([response.status, response.headers], [200, []]);
  await ask(routes, "/debug/pprof/profile?seconds=1&seconds=300&frequency=1000");
  await ask(routes, "/debug/pprof/heap");
  await ask(routes, "/debug/pprof/heap?all&seconds=1");
  assert.deepEqual(asked, [
    ["cpu", 10_000, 10_000],
    ["cpu", 1000, 300_000],
    ["live-memory", 32_768, 10_000],
    ["all-memory", 32_768, 1000],
  ]);
});

Deno.test("one profile runs at a time, and another can follow one that failed", async () => {
  const { promise, reject } = Promise.withResolvers<[]>();
  const routes = pprofRoutes(() => promise, () => 0);
  const first = ask(routes, "/debug/pprof/profile");
  for (const path of ["/debug/pprof/profile", "/debug/pprof/heap"]) {
    const second = await ask(routes, path);
    assert.equal(second.status, 503);
  }
  reject(new Error("no worker"));
  await assert.rejects(async () => await first, { message: "no worker" });
  await assert.rejects(async () => await ask(routes, "/debug/pprof/profile"), { message: "no worker" });
});

Deno.test("config 4.2 /debug/pprof/heap/profiling: answered as in a build without that switch", async () => {
  assert.deepEqual(await ask(pprofRoutes(NO_PROFILE, () => 0), "/debug/pprof/heap/profiling"), {
    status: 500,
    headers: [],
    body: "jemalloc not enabled",
  });
});

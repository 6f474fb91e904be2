import { strict as assert } from "node:assert";
import { FOLDERS, placeOf, refusal, ROOMS } from "./places.ts";
import plugin, { MAX_LINES } from "./plugin.ts";

/** The complaints about `source` if it stood at `path`, as `rule: message`. */
function lint(path: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, path, source).map((found) => `${found.id}: ${found.message}`);
}

Deno.test("rooms: each room may import every room below it and none above", () => {
  ROOMS.forEach((from, i) =>
    ROOMS.forEach((to, j) => {
      const file = (room: string) => room === "main" ? "main.ts" : `src/${room}/x.ts`;
      assert.equal(refusal(file(from), file(to)) === null, i <= j, `${from} imports ${to}`);
    })
  );
});

Deno.test("rooms: folders of a room have an order too", () => {
  for (const [room, folders] of Object.entries(FOLDERS)) {
    folders.forEach((from, i) =>
      folders.forEach((to, j) => {
        const refused = refusal(`src/${room}/${from}/x.ts`, `src/${room}/${to}/y.ts`);
        assert.equal(refused === null, i <= j, `${room}/${from} imports ${room}/${to}`);
      })
    );
    assert.equal(refusal(`src/${room}/x.ts`, `src/${room}/${folders[0]}/y.ts`), null);
    assert.match(refusal(`src/${room}/${folders[0]}/x.ts`, `src/${room}/y.ts`) ?? "", /above/);
  }
});

Deno.test("rooms: tests use kits; product code, demo and tools do not", () => {
  const allowed = [
    ["src/net/tcp_test.ts", "lab/needs.ts"],
    ["src/net/tcp_test.ts", "testkit/ports.ts"],
    ["src/proxy/drain_test.ts", "src/dataplane/testkit/testbed.ts"],
    ["src/hbone/testkit/peer.ts", "src/h2/testkit/pair.ts"],
    ["src/xds/client.ts", "proto/xds.js"],
    ["tests/two_nodes.ts", "src/app/node.ts"],
    ["tests/two_nodes.ts", "src/net/testkit/memory_network.ts"],
    ["bench/rig.ts", "testkit/spire/agent.ts"],
    ["demo/pods.ts", "lab/bed/cluster.ts"],
  ] as const;
  for (const [from, to] of allowed) assert.equal(refusal(from, to), null, `${from} imports ${to}`);
  const refused = [
    ["src/net/tcp_test.ts", "src/h2/frame.ts", /above/],
    ["src/net/testkit/pipe.ts", "src/h2/frame.ts", /above/],
    ["src/net/tcp_test.ts", "src/net/udp_test.ts", /test kit instead/],
    ["src/net/tcp_test.ts", "tests/two_nodes.ts", /from tests\//],
    ["src/net/tcp.ts", "lab/needs.ts", /from lab\//],
    ["src/net/tcp.ts", "src/net/tcp_test.ts", /a test/],
    ["src/net/tcp.ts", "src/net/testkit/memory_network.ts", /a test kit/],
    ["src/app/run.ts", "tools/test.ts", /from tools\//],
    ["demo/pods.ts", "testkit/ports.ts", /from testkit\//],
    ["demo/pods.ts", "src/net/testkit/memory_network.ts", /test kits/],
    ["demo/pods.ts", "tests/two_nodes.ts", /from tests\//],
    ["tools/test.ts", "demo/pods.ts", /from demo\//],
    ["lab/proxy.ts", "testkit/ports.ts", /from testkit\//],
    ["bench/rig.ts", "tests/two_nodes.ts", /from tests\//],
    ["tests/two_nodes.ts", "bench/rig.ts", /from bench\//],
  ] as const;
  for (const [from, to, why] of refused) assert.match(refusal(from, to) ?? "", why, `${from} imports ${to}`);
});

Deno.test("rooms: a folder nobody knows is reported", () => {
  assert.deepEqual(placeOf("src/attic/x.ts"), { kind: "stray", folder: "attic" });
  assert.match(lint("src/attic/x.ts", "export {};").join(), /^rooms\/known: Unknown room "attic"/);
});

const UPWARD: readonly (readonly [string, string])[] = [
  ["import", `import { x } from "../proxy/tunnel.ts"; x();`],
  ["side effect", `import "../proxy/tunnel.ts";`],
  ["type import", `import type { X } from "../proxy/tunnel.ts"; export type Y = X;`],
  ["named re-export", `export { x } from "../proxy/tunnel.ts";`],
  ["star re-export", `export * from "../proxy/tunnel.ts";`],
  ["dynamic import", `await import("../proxy/tunnel.ts");`],
  ["inline type import", `export type Y = import("../proxy/tunnel.ts").X;`],
];
for (const [form, source] of UPWARD) {
  Deno.test(`rooms: an upward arrow is seen in the form of a ${form}`, () => {
    assert.deepEqual(lint("src/net/x.ts", source), [
      'rooms/direction: Room "net" must not import from room "proxy", which is above it',
    ]);
    assert.deepEqual(lint("src/app/x.ts", source), []);
  });
}

Deno.test("rooms: packages and Node modules are no arrows", () => {
  assert.deepEqual(lint("src/net/x.ts", `export { parse } from "yaml"; export { Buffer } from "node:buffer";`), []);
});

Deno.test("rooms: pointers are for os/ alone, as values and as types", () => {
  const source = `Deno.dlopen("x", {}); Deno.UnsafePointer.of(b); export let p: Deno.PointerValue;`;
  assert.equal(lint("src/net/x.ts", source).filter((line) => line.startsWith("rooms/ffi")).length, 3);
  assert.deepEqual(lint("src/os/x.ts", source).filter((line) => line.startsWith("rooms/ffi")), []);
});

Deno.test("rooms: addresses are taken in one file, which keeps the memory alive", () => {
  const source = `import { addressOf } from "./pointers.ts"; call(Deno.UnsafePointer.of(cString("x")), addressOf(b));`;
  const seen = lint("src/os/x.ts", source);
  assert.deepEqual(seen.map((line) => line.split(":")[0]), ["rooms/pointer", "rooms/pointer"]);
  assert.deepEqual(lint("src/os/pointers.ts", source), []);
  assert.equal(lint("src/os/iovec.ts", source).length, 1, "a list of files may have plain addresses");
  assert.deepEqual(lint("src/os/x.ts", `Array.of(1); Deno.UnsafePointer.value(p); Deno.UnsafePointer.create(1n);`), []);
});

Deno.test("rooms: h2 and mesh read no clock; their tests and other rooms may", () => {
  const source = `Date.now(); performance.now(); new Date(); setTimeout(f, 1); new Date(5);`;
  for (const room of ["h2", "mesh"]) assert.equal(lint(`src/${room}/x.ts`, source).length, 4);
  assert.deepEqual(lint("src/h2/x_test.ts", source), []);
  assert.deepEqual(lint("src/net/x.ts", source), []);
});

Deno.test("rooms: files end at the line limit, generated ones do not", () => {
  assert.deepEqual(lint("src/net/x.ts", "//\n".repeat(MAX_LINES)), []);
  assert.match(lint("src/net/x.ts", "//\n".repeat(MAX_LINES + 1)).join(), /401 lines/);
  assert.match(lint("tests/x_test.ts", "//\n".repeat(MAX_LINES + 1)).join(), /401 lines/);
  assert.deepEqual(lint("proto/x.ts", "//\n".repeat(MAX_LINES + 1)), []);
});

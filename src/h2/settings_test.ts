import { strict as assert } from "node:assert";
import { defaultOptions } from "./limits.ts";
import { ErrorCode } from "./seam.ts";
import { ownSettings, PeerSettings } from "./settings.ts";
import { setting } from "./testkit/frames.ts";

function read(payload: Uint8Array): Record<number, number> {
  const view = new DataView(payload.buffer);
  const pairs: Record<number, number> = {};
  for (let at = 0; at < payload.length; at += 6) pairs[view.getUint16(at)] = view.getUint32(at + 2);
  return pairs;
}

Deno.test("dataplane 2.3: our SETTINGS", () => {
  assert.deepEqual(read(ownSettings(defaultOptions("client"))), { 2: 0, 4: 4194304, 5: 1048576, 6: 16384 });
  assert.deepEqual(read(ownSettings(defaultOptions("server"))), { 3: 200, 4: 4194304, 5: 1048576, 6: 65536 });
});

const WRONG: [string, "client" | "server", number[], ErrorCode | null][] = [
  ["ENABLE_PUSH 2", "client", setting(2, 2), ErrorCode.PROTOCOL_ERROR],
  ["ENABLE_PUSH 1 from a client", "client", setting(2, 1), null],
  ["ENABLE_PUSH 1 from a server", "server", setting(2, 1), ErrorCode.PROTOCOL_ERROR],
  ["INITIAL_WINDOW_SIZE 2^31", "client", setting(4, 2 ** 31), ErrorCode.FLOW_CONTROL_ERROR],
  ["INITIAL_WINDOW_SIZE 2^31-1", "client", setting(4, 2 ** 31 - 1), null],
  ["MAX_FRAME_SIZE 16383", "client", setting(5, 16383), ErrorCode.PROTOCOL_ERROR],
  ["MAX_FRAME_SIZE 2^24", "client", setting(5, 2 ** 24), ErrorCode.PROTOCOL_ERROR],
  ["MAX_FRAME_SIZE 2^24-1", "client", setting(5, 2 ** 24 - 1), null],
  ["unknown", "client", [255, 255, 1, 2, 3, 4], null],
  ["HEADER_TABLE_SIZE 2^32-1", "client", setting(1, 2 ** 32 - 1), null],
];
for (const [name, peer, payload, code] of WRONG) {
  Deno.test(`SETTINGS ${name}: ${code === null ? "fine" : ErrorCode[code]}`, () => {
    assert.equal(new PeerSettings(peer).apply(Uint8Array.from(payload), 0, 6)?.code ?? null, code);
  });
}

Deno.test("SETTINGS are applied in order, so the last value is used", () => {
  const peer = new PeerSettings("client");
  const payload = Uint8Array.from([...setting(4, 5), ...setting(3, 7), ...setting(4, 6)]);
  assert.equal(peer.apply(payload, 0, payload.length), null);
  assert.equal(peer.initialWindow, 6);
  assert.equal(peer.maxConcurrentStreams, 7);
});

import { strict as assert } from "node:assert";
import { discard, textMappings } from "./memory.ts";

const MAPS = `55d000000000-55d000010000 r--p 00000000 fe:00 12 /usr/bin/deno
55d000010000-55d000030000 r-xp 00010000 fe:00 12 /usr/bin/deno
55d000030000-55d000031000 rw-p 00030000 fe:00 12 /usr/bin/deno
7f0000000000-7f0000001000 r-xp 00000000 fe:00 13 /usr/lib/libc.so.6
7f0000002000-7f0000003000 rwxp 00000000 00:00 0
`;

Deno.test("memory: only read-only executable mappings of the program itself are returned", () => {
  assert.deepEqual(textMappings(MAPS, "/usr/bin/deno"), [{ start: 0x55d000010000n, length: 0x20000n }]);
  assert.deepEqual(textMappings(MAPS, "/opt/other"), []);
  assert.deepEqual(textMappings("", "/usr/bin/deno"), []);
});

Deno.test("memory: a discarded buffer is empty, and buffers next to it are unchanged", () => {
  for (const size of [0, 1, 4096, 4097, 10_000, 300_000]) {
    const neighbours = Array.from({ length: 16 }, (_, i) => new Uint8Array(size).fill(i + 1));
    for (let i = 0; i < neighbours.length; i += 2) discard(neighbours[i]!.buffer);
    for (const [i, bytes] of neighbours.entries()) {
      assert.equal(bytes.length, i % 2 === 0 ? 0 : size);
      assert.ok(i % 2 === 0 || bytes.every((byte) => byte === i + 1));
    }
  }
});

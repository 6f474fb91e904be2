import { strict as assert } from "node:assert";
import { discard, fileMappings } from "./memory.ts";

/** A mapping as `/proc/PID/smaps` shows it. */
function mapping(head: string, anonymous: number): string {
  return `${head}\nSize:                 64 kB\nRss:                  16 kB\nAnonymous:       ${anonymous} kB\nVmFlags: rd mr mw me\n`;
}

Deno.test("memory: only mappings of files that nobody has written to are returned", () => {
  const returned = [
    mapping("55d000000000-55d000010000 r--p 00000000 fe:00 12                 /usr/bin/deno", 0),
    mapping("55d000010000-55d000030000 r-xp 00010000 fe:00 12                 /usr/bin/deno", 0),
    mapping("7f0000000000-7f0000001000 r--s 00000000 fe:00 13                 /var/cache/code cache", 0),
  ];
  const kept = [
    mapping("55d000030000-55d000031000 r--p 00030000 fe:00 12                 /usr/bin/deno", 4),
    mapping("55d000031000-55d000032000 rw-p 00031000 fe:00 12                 /usr/bin/deno", 0),
    mapping("7f0000001000-7f0000002000 rw-s 00000000 fe:00 14                 /var/cache/shared", 0),
    mapping("7f0000002000-7f0000003000 r-xp 00000000 00:00 0 ", 0),
    mapping("7f0000003000-7f0000004000 r-xp 00000000 00:00 0                  [vdso]", 0),
  ];
  assert.deepEqual(fileMappings([...returned, ...kept].join("")), [
    { start: 0x55d000000000n, length: 0x10000n },
    { start: 0x55d000010000n, length: 0x20000n },
    { start: 0x7f0000000000n, length: 0x1000n },
  ]);
  assert.deepEqual(fileMappings(""), []);
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

import { strict as assert } from "node:assert";
import { textMappings } from "./memory.ts";

const MAPS = `55d000000000-55d000010000 r--p 00000000 fe:00 12 /usr/bin/deno
55d000010000-55d000030000 r-xp 00010000 fe:00 12 /usr/bin/deno
55d000030000-55d000031000 rw-p 00030000 fe:00 12 /usr/bin/deno
7f0000000000-7f0000001000 r-xp 00000000 fe:00 13 /usr/lib/libc.so.6
7f0000002000-7f0000003000 rwxp 00000000 00:00 0
`;

Deno.test("only the program's own executable mappings that nobody writes are given back", () => {
  assert.deepEqual(textMappings(MAPS, "/usr/bin/deno"), [{ start: 0x55d000010000n, length: 0x20000n }]);
  assert.deepEqual(textMappings(MAPS, "/opt/other"), []);
  assert.deepEqual(textMappings("", "/usr/bin/deno"), []);
});

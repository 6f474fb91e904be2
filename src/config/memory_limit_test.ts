import { strict as assert } from "node:assert";
import { SYSTEM_FILES } from "./files.ts";
import { memoryLimit } from "./memory_limit.ts";

const GIB = 1 << 30;
const MEMINFO = "MemTotal:        8388608 kB\nMemFree:          100 kB\n";

function limit(files: Readonly<Record<string, string>>): number | null {
  return memoryLimit({
    read(path) {
      if (files[path] === "forbidden") throw new Deno.errors.PermissionDenied(path);
      return files[path] ?? null;
    },
    exists: (path) => path in files,
  });
}

Deno.test("memory limit: that of the control group, of either version, else that of the machine", () => {
  assert.equal(limit({ "/sys/fs/cgroup/memory.max": `${GIB}\n`, "/proc/meminfo": MEMINFO }), GIB);
  assert.equal(limit({ "/sys/fs/cgroup/memory.max": "max\n", "/proc/meminfo": MEMINFO }), 8 * GIB);
  const version1 = "/sys/fs/cgroup/memory/memory.limit_in_bytes";
  assert.equal(limit({ [version1]: `${GIB / 2}\n`, "/proc/meminfo": MEMINFO }), GIB / 2);
  assert.equal(limit({ [version1]: "9223372036854771712\n", "/proc/meminfo": MEMINFO }), 8 * GIB);
});

Deno.test("memory limit: this machine has one", () => {
  assert.ok((memoryLimit(SYSTEM_FILES) ?? 0) > 64 << 20);
});

Deno.test("memory limit: missing, malformed or unreadable files count as no limit", () => {
  assert.equal(limit({}), null);
  assert.equal(limit({ "/proc/meminfo": "forbidden", "/sys/fs/cgroup/memory.max": "many" }), null);
  assert.equal(limit({ "/proc/meminfo": "forbidden", "/sys/fs/cgroup/memory.max": "4096" }), 4096);
});

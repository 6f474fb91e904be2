import { strict as assert } from "node:assert";
import { parseStrace } from "./strace.ts";

const SUMMARY = `strace: Process 4242 attached with 9 threads
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 51.02    0.100000           4     20000           epoll_wait
 30.61    0.060000           3     10001         7 read
 18.37    0.036000           3     10000           writev
  0.00    0.000000           0         3           clone3
------ ----------- ----------- --------- --------- ----------------
100.00    0.196000           4     40004         7 total
`;

Deno.test("strace: calls by name, with and without errors, not the total", () => {
  const counts = { epoll_wait: 20000, read: 10001, writev: 10000, clone3: 3 };
  assert.deepEqual(Object.fromEntries(parseStrace(SUMMARY)), counts);
});

Deno.test("strace: no summary, no calls", () => assert.equal(parseStrace("strace: Process 1 attached\n").size, 0));

/**
 * Short connections to `echo.ts` at a fixed rate: `passing.ts HOST PORT PER_SECOND COUNT`. Each sends a message, reads
 * its echo and closes. Prints how many succeeded and failed as JSON when all have ended.
 */
import { close, connect, Readable, receive, send } from "./libc_sockets.ts";

/** What has come of all connections. */
export interface Passed {
  readonly succeeded: number;
  readonly failed: number;
}

const [host = "", port, perSecond, count] = Deno.args;
const MESSAGE = new Uint8Array(64).fill(0x2e);
/** A connection without an echo by then has failed. */
const LIMIT_MILLIS = 20_000;

const readable = new Readable();
const buffer = new Uint8Array(4096);
/** When each open descriptor was opened, oldest first. */
const open = new Map<number, number>();
let succeeded = 0, failed = 0;

function begin(): void {
  const fd = connect(host, Number(port));
  if (fd < 0 || send(fd, MESSAGE, MESSAGE.length) !== MESSAGE.length) {
    if (fd >= 0) close(fd);
    failed++;
    return;
  }
  open.set(fd, performance.now());
  readable.add(fd);
}

function end(fd: number, isWhole: boolean): void {
  open.delete(fd);
  close(fd);
  if (isWhole) succeeded++;
  else failed++;
}

function dropLate(): void {
  const limit = performance.now() - LIMIT_MILLIS;
  for (const [fd, since] of open) {
    if (since > limit) return;
    end(fd, false);
  }
}

const start = performance.now();
for (let begun = 0; begun < Number(count) || open.size > 0;) {
  const due = Math.min(Number(count), Math.floor((performance.now() - start) / 1000 * Number(perSecond)));
  for (; begun < due; begun++) begin();
  readable.wait(5, (fd) => end(fd, receive(fd, buffer) === MESSAGE.length));
  dropLate();
}
console.log(JSON.stringify({ succeeded, failed } satisfies Passed));

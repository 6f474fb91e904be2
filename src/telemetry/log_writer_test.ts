import { strict as assert } from "node:assert";
import { LogWriter, type LogWriterOwner } from "./log_writer.ts";
import { OutputTurn } from "./output_turn.ts";

class Sink {
  readonly chunks: string[] = [];
  /** Bytes accepted by each of the next writes; when empty, all bytes. */
  readonly answers: number[] = [];
  /** Bytes that it still accepts. */
  room = Infinity;
  broken = false;
  write(bytes: Uint8Array): number {
    if (this.broken) throw new Error("EPIPE");
    const taken = Math.min(this.answers.shift() ?? bytes.length, bytes.length, this.room);
    this.room -= taken;
    if (taken > 0) this.chunks.push(new TextDecoder().decode(bytes.subarray(0, taken)));
    return taken;
  }
  get text(): string {
    return this.chunks.join("");
  }
}

const line = (length: number, char = "x") => `${char.repeat(length - 1)}\n`;

Deno.test("log writer: nothing is written before a flush", () => {
  const sink = new Sink();
  const writer = new LogWriter(sink);
  writer.push("a\n");
  writer.push("b\n");
  assert.deepEqual(sink.chunks, []);
  writer.flush();
  assert.deepEqual(sink.chunks, ["a\nb\n"]);
});

Deno.test("log writer: chunks are whole lines of at most 4096 bytes", () => {
  const sink = new Sink();
  const writer = new LogWriter(sink);
  for (let i = 0; i < 30; i++) writer.push(line(700));
  writer.flush();
  assert.deepEqual(sink.chunks.map((chunk) => chunk.length), [3500, 3500, 3500, 3500, 3500, 3500]);
  assert.equal(sink.text, line(700).repeat(30));
});

Deno.test("log writer: a longer line is written alone, in one write", () => {
  const sink = new Sink();
  const writer = new LogWriter(sink);
  const lines = [line(10), line(9000, "ä"), line(10), line(200_000), line(10)];
  for (const text of lines) writer.push(text);
  writer.flush();
  assert.deepEqual(sink.chunks.map((chunk) => chunk.length), lines.map((text) => text.length));
  assert.ok(sink.text === lines.join(""));
});

Deno.test("log writer: 32 KiB are written without a flush", () => {
  const sink = new Sink();
  const writer = new LogWriter(sink);
  for (let i = 0; i < 33; i++) writer.push(line(1000));
  assert.equal(sink.text.length, 33_000);
});

Deno.test("log writer: bytes that the sink does not accept are kept, in order", () => {
  const sink = new Sink();
  const writer = new LogWriter(sink);
  sink.answers.push(3, 0);
  for (const text of ["abcdef\n", "g\n", "h\n"]) writer.push(text);
  writer.flush();
  assert.equal(sink.text, "abc");
  sink.answers.push(2, 0);
  writer.push("i\n");
  writer.flush();
  assert.equal(sink.text, "abcde");
  writer.flush();
  assert.equal(sink.text, "abcdef\ng\nh\ni\n");
});

Deno.test("log writer: a full sink between chunks loses no line", () => {
  const sink = new Sink();
  const writer = new LogWriter(sink);
  const lines = Array.from({ length: 30 }, (_, i) => line(700, String(i % 10)));
  for (const text of lines) writer.push(text);
  sink.answers.push(3500, 100, 0);
  writer.flush();
  sink.answers.push(0);
  writer.flush();
  writer.flush();
  assert.equal(sink.text, lines.join(""));
});

/** An owner that records its callbacks, and logs how many lines were dropped. */
class Owner implements LogWriterOwner {
  soon = 0;
  readonly delays: number[] = [];
  readonly told: number[] = [];
  writer: LogWriter | null = null;
  flushSoon(): void {
    this.soon++;
  }
  retryAfter(delay: number): void {
    this.delays.push(delay);
  }
  onDropped(count: number): void {
    this.told.push(count);
    this.writer?.push(`dropped ${count}\n`);
  }
}

/** A writer whose sink is full until it gets room. */
function stalled(): { sink: Sink; owner: Owner; writer: LogWriter } {
  const sink = new Sink();
  const owner = new Owner();
  const writer = new LogWriter(sink, owner);
  owner.writer = writer;
  sink.room = 0;
  return { sink, owner, writer };
}

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `${String(from + i).padStart(6, "0")}\n`);

Deno.test("log writer: while the sink is full, 10,000 lines wait, and further ones are dropped and counted", () => {
  const { sink, writer, owner } = stalled();
  for (const text of numbered(0, 12_500)) writer.push(text);
  writer.flush();
  assert.equal(writer.waiting, 10_000);
  assert.equal(writer.dropped, 2500);
  sink.room = Infinity;
  writer.retry();
  writer.flush();
  assert.ok(sink.text === [...numbered(0, 10_000), "dropped 2500\n"].join(""));
  assert.deepEqual(owner.told, [2500]);
  writer.push("on\n");
  writer.flush();
  assert.ok(sink.text.endsWith("dropped 2500\non\n"));
});

Deno.test("log writer: while the sink is full, 8 Mi characters wait", () => {
  const { writer } = stalled();
  for (let i = 0; i < 200; i++) writer.push(line(100_000));
  writer.flush();
  assert.ok(writer.waiting <= 84, String(writer.waiting));
  assert.equal(writer.waiting + writer.dropped, 200);
});

Deno.test("log writer: a line longer than the queue's limit is written when nothing else waits", () => {
  const sink = new Sink();
  const writer = new LogWriter(sink);
  writer.push(line(9 << 20));
  writer.flush();
  assert.equal(sink.text.length, 9 << 20);
});

Deno.test("log writer: dropped lines are reported at the gap, once half of the queue is free", () => {
  const { sink, writer, owner } = stalled();
  for (const text of numbered(0, 10_001)) writer.push(text);
  sink.room = 4000 * 7;
  writer.retry();
  writer.push("lost too\n");
  assert.deepEqual(owner.told, []);
  sink.room = 2000 * 7;
  writer.retry();
  writer.push("after the gap\n");
  assert.deepEqual(owner.told, [2]);
  sink.room = Infinity;
  writer.retry();
  assert.ok(sink.text === [...numbered(0, 10_000), "dropped 2\n", "after the gap\n"].join(""));
  assert.equal(writer.dropped, 2);
});

Deno.test("log writer: one timer at a time retries a full sink", () => {
  const { sink, writer, owner } = stalled();
  writer.push("a\n");
  writer.flush();
  writer.push("b\n");
  writer.flush();
  assert.equal(owner.delays.length, 1);
  writer.retry();
  assert.equal(owner.delays.length, 2);
  sink.room = Infinity;
  writer.retry();
  assert.equal(owner.delays.length, 2);
  assert.equal(sink.text, "a\nb\n");
});

Deno.test("log writer: at the end it waits for a full sink up to the given limit", () => {
  const { sink, writer } = stalled();
  writer.push("a\n");
  writer.drain(5);
  assert.equal(writer.waiting, 1);
  assert.equal(sink.text, "");
});

Deno.test("log writer: a broken sink is not an error; lost lines are reported once it works", () => {
  const sink = new Sink();
  const owner = new Owner();
  const writer = owner.writer = new LogWriter(sink, owner);
  sink.broken = true;
  for (const text of ["a\n", "b\n"]) {
    writer.push(text);
    writer.flush();
  }
  assert.deepEqual([writer.waiting, writer.dropped, owner.told], [0, 2, []]);
  sink.broken = false;
  writer.push("c\n");
  writer.drain(10);
  writer.drain(10);
  assert.equal(sink.text, "c\ndropped 2\n");
});

Deno.test("log writer: two writers that share an output do not mix their lines", () => {
  const sink = new Sink();
  const shared = new SharedArrayBuffer(4);
  const one = new LogWriter(sink, undefined, new OutputTurn(shared));
  const owner = new Owner();
  const two = new LogWriter(sink, owner, new OutputTurn(shared));
  one.push(line(9000, "1"));
  sink.answers.push(5000, 0);
  one.flush();
  two.push("22\n");
  two.flush();
  assert.equal(sink.text, "1".repeat(5000));
  assert.equal(owner.delays.length, 1);
  one.flush();
  two.retry();
  assert.ok(sink.text === `${line(9000, "1")}22\n`);
});

Deno.test("log writer: its owner is asked for a flush once per batch", () => {
  const owner = new Owner();
  const writer = new LogWriter(new Sink(), owner);
  writer.push("a\n");
  writer.push("b\n");
  assert.equal(owner.soon, 1);
  writer.flush();
  writer.push("c\n");
  assert.equal(owner.soon, 2);
});

import { strict as assert } from "node:assert";
import { LogWriter } from "./log_writer.ts";

class Sink {
  readonly chunks: string[] = [];
  /** Bytes taken by each of the next writes; all when empty. */
  readonly answers: number[] = [];
  broken = false;
  write(bytes: Uint8Array): number {
    if (this.broken) throw new Error("EPIPE");
    const taken = Math.min(this.answers.shift() ?? bytes.length, bytes.length);
    if (taken > 0) this.chunks.push(new TextDecoder().decode(bytes.subarray(0, taken)));
    return taken;
  }
  get text(): string {
    return this.chunks.join("");
  }
}

const line = (length: number, char = "x") => `${char.repeat(length - 1)}\n`;

Deno.test("log writer: nothing leaves before a flush", () => {
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

Deno.test("log writer: a longer line goes alone, in one write", () => {
  const sink = new Sink();
  const writer = new LogWriter(sink);
  const lines = [line(10), line(9000, "ä"), line(10), line(200_000), line(10)];
  for (const text of lines) writer.push(text);
  writer.flush();
  assert.deepEqual(sink.chunks.map((chunk) => chunk.length), lines.map((text) => text.length));
  assert.ok(sink.text === lines.join(""));
});

Deno.test("log writer: 32 KiB are written without being asked", () => {
  const sink = new Sink();
  const writer = new LogWriter(sink);
  for (let i = 0; i < 33; i++) writer.push(line(1000));
  assert.equal(sink.text.length, 33_000);
});

Deno.test("log writer: what the sink does not take is kept, in order", () => {
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

Deno.test("log writer: a refusal between chunks loses no line", () => {
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

Deno.test("log writer: a full queue blocks until the sink takes lines", () => {
  const sink = new Sink();
  const writer = new LogWriter(sink);
  sink.answers.push(...Array<number>(3_000).fill(0));
  let waiting = 0;
  const lines = Array.from({ length: 12_000 }, (_, i) => `${String(i).padStart(5, "0")}\n`);
  for (const text of lines) {
    writer.push(text);
    waiting = Math.max(waiting, writer.waiting);
  }
  writer.flush();
  assert.ok(waiting < 10_000, String(waiting));
  assert.ok(sink.text === lines.join(""));
});

Deno.test("log writer: a broken sink is no error", () => {
  const sink = new Sink();
  const writer = new LogWriter(sink);
  sink.broken = true;
  writer.push("a\n");
  writer.flush();
  sink.broken = false;
  writer.push("b\n");
  writer.drain(10);
  assert.equal(sink.text, "b\n");
});

Deno.test("log writer: its owner is woken once per batch", () => {
  let woken = 0;
  const writer = new LogWriter(new Sink(), () => woken++);
  writer.push("a\n");
  writer.push("b\n");
  assert.equal(woken, 1);
  writer.flush();
  writer.push("c\n");
  assert.equal(woken, 2);
});

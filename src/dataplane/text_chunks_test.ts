import { strict as assert } from "node:assert";
import { TextChunks } from "./text_chunks.ts";

const NOTHING = new Uint8Array(0);
const bytes = (text: string) => new TextEncoder().encode(text);
const decoded = (chunks: readonly Uint8Array[]) =>
  chunks.map((chunk) => new TextDecoder("utf-8", { fatal: true }).decode(chunk));
const SIZE = 256 * 1024;

Deno.test("text chunks: what was added since the last call, in order", () => {
  const chunks = new TextChunks();
  assert.deepEqual(chunks.take(), []);
  chunks.add(bytes("a"), bytes("b"), bytes("c"));
  chunks.add(NOTHING, bytes("é"), NOTHING);
  assert.deepEqual(decoded(chunks.take()), ["abcé"]);
  assert.deepEqual(chunks.take(), []);
  chunks.add(NOTHING, bytes("d"), NOTHING);
  assert.deepEqual(decoded(chunks.take()), ["d"]);
});

Deno.test("text chunks: no text is in two buffers, however long it is", () => {
  const chunks = new TextChunks();
  const texts = [
    ...Array.from({ length: 20_000 }, (_, i) => `${i}${"ü€😀".repeat(i % 20)}`),
    "x".repeat(SIZE + 1),
    "y",
  ];
  for (const text of texts) chunks.add(bytes("<"), bytes(text), bytes(">"));
  const taken = decoded(chunks.take());
  assert.ok(taken.length > 3);
  assert.equal(taken.join(""), texts.map((text) => `<${text}>`).join(""));
  for (const piece of taken) assert.match(piece, /^<[^]*>$/);
});

Deno.test("text chunks: a buffer that was handed over is written to again when it was taken back", () => {
  const chunks = new TextChunks();
  const take = () => chunks.take().map(({ buffer }) => buffer);
  chunks.add(NOTHING, bytes("a"), NOTHING);
  const [first] = take();
  chunks.add(NOTHING, bytes("b"), NOTHING);
  const [second] = take();
  assert.notEqual(first, second);
  chunks.recycle([new Uint8Array(first!, 0, 1), new Uint8Array(7)]);
  chunks.add(NOTHING, bytes("c"), NOTHING);
  const [third] = chunks.take();
  assert.equal(third!.buffer, first);
  assert.deepEqual(decoded([third!]), ["c"]);
});

Deno.test("text chunks: four buffers are kept at most", () => {
  const chunks = new TextChunks();
  const buffers = Array.from({ length: 5 }, () => new Uint8Array(SIZE));
  chunks.recycle(buffers);
  for (let i = 0; i < 5; i++) chunks.add(NOTHING, new Uint8Array(SIZE), NOTHING);
  const taken = chunks.take().map(({ buffer }) => buffer);
  assert.equal(taken.filter((buffer) => buffers.some((each) => each.buffer === buffer)).length, 4);
});

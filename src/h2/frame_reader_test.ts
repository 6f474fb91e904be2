import { strict as assert } from "node:assert";
import fc from "fast-check";
import { FrameType, PREFACE } from "./frame.ts";
import { Disposition, FrameReader, type FrameSink } from "./frame_reader.ts";
import { concat } from "./testkit/pair.ts";
import { frame } from "./testkit/frames.ts";

/** Records all calls; parts of DATA are joined. */
class Notes implements FrameSink {
  notes: string[] = [];
  limit = 1000;
  preface: boolean | null = null;
  isOverWorkBudget = false;

  onPreface(valid: boolean): boolean {
    this.preface = valid;
    return valid;
  }
  onFrameHeader(length: number, type: FrameType, flags: number, streamId: number): Disposition {
    if (type === FrameType.DATA) {
      this.notes.push(`data ${streamId} ${flags} ${length}:`);
      return Disposition.STREAM;
    }
    if (length > this.limit) return Disposition.STOP;
    return type > FrameType.CONTINUATION ? Disposition.SKIP : Disposition.COLLECT;
  }
  onDataPart(bytes: Uint8Array, start: number, end: number): boolean {
    assert.ok(end > start);
    this.notes[this.notes.length - 1] += bytes.subarray(start, end).toHex();
    return true;
  }
  onFrame(type: FrameType, flags: number, id: number, bytes: Uint8Array, start: number, end: number): boolean {
    this.notes.push(`${type} ${flags} ${id} ${bytes.subarray(start, end).toHex()}`);
    return true;
  }
}

const frames = fc.array(
  fc.record({
    type: fc.nat(11),
    flags: fc.nat(255),
    id: fc.nat(0x7fffffff),
    payload: fc.uint8Array({ maxLength: 40 }),
  }),
  { maxLength: 12 },
);

function expected(list: { type: number; flags: number; id: number; payload: Uint8Array }[]): string[] {
  return list.filter((f) => f.type <= FrameType.CONTINUATION).map((f) => {
    const hex = f.payload.toHex();
    return f.type === 0 ? `data ${f.id} ${f.flags} ${f.payload.length}:${hex}` : `${f.type} ${f.flags} ${f.id} ${hex}`;
  });
}

Deno.test("frames are the same wherever their bytes are cut", () => {
  fc.assert(fc.property(frames, fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), (list, cuts) => {
    const bytes = concat([PREFACE, ...list.map((f) => frame(f.type, f.flags, f.id, f.payload))]);
    const notes = new Notes();
    const reader = new FrameReader(notes, true);
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const end = Math.min(bytes.length, at + cuts[i % cuts.length]!);
      reader.receive(bytes.slice(0, end), at, end);
      at = end;
    }
    assert.deepEqual(notes.notes, expected(list));
    assert.equal(notes.preface, true);
    assert.equal(reader.incomplete, false);
  }));
});

Deno.test("arbitrary bytes never throw, and nothing is read after a stop", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), fc.boolean(), (pieces, preface) => {
    const notes = new Notes();
    notes.limit = 16;
    const reader = new FrameReader(notes, preface);
    for (const piece of pieces) reader.receive(piece, 0, piece.length);
  }));
});

Deno.test("a wrong preface is noticed at its first wrong byte", () => {
  const notes = new Notes();
  const reader = new FrameReader(notes, true);
  reader.receive(new TextEncoder().encode("PRI * HTTP/1"), 0, 11);
  assert.equal(notes.preface, null);
  reader.receive(new TextEncoder().encode("1"), 0, 1);
  assert.equal(notes.preface, false);
});

Deno.test("incomplete: inside a header or a collected frame, not inside DATA", () => {
  const reader = new FrameReader(new Notes(), false);
  const dataFrame = frame(FrameType.DATA, 0, 1, [1, 2, 3]), pingFrame = frame(FrameType.PING, 0, 0, [1, 2, 3]);
  const seen: boolean[] = [];
  for (const byte of concat([dataFrame, pingFrame])) {
    reader.receive(Uint8Array.of(byte), 0, 1);
    seen.push(reader.incomplete);
  }
  const header = new Array(8).fill(true);
  assert.deepEqual(seen, [...header, false, false, false, false, ...header, true, true, true, false]);
});

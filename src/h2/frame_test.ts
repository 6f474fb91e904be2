import { strict as assert } from "node:assert";
import fc from "fast-check";
import {
  FRAME_HEADER,
  FrameType,
  getUint16,
  getUint24,
  getUint31,
  getUint32,
  putFrameHeader,
  putUint32,
} from "./frame.ts";

Deno.test("frame headers are read as they were written, whatever their fields", () => {
  fc.assert(fc.property(
    fc.nat(0xffffff),
    fc.nat(255),
    fc.nat(255),
    fc.nat(0x7fffffff),
    fc.nat(20),
    (length, type, flags, id, at) => {
      const bytes = new Uint8Array(at + FRAME_HEADER + 3).fill(0xaa);
      assert.equal(putFrameHeader(bytes, at, length, type as FrameType, flags, id), at + FRAME_HEADER);
      assert.equal(getUint24(bytes, at), length);
      assert.deepEqual([bytes[at + 3], bytes[at + 4]], [type, flags]);
      assert.equal(getUint31(bytes, at + 5), id);
      assert.equal(bytes[at + FRAME_HEADER], 0xaa);
    },
  ));
});

Deno.test("numbers of 32 bits are unsigned, stream ids lose the reserved bit", () => {
  const bytes = new Uint8Array(4);
  fc.assert(fc.property(fc.nat(0xffffffff), (value) => {
    putUint32(bytes, 0, value);
    assert.equal(getUint32(bytes, 0), value);
    assert.equal(getUint31(bytes, 0), value % 0x80000000);
    assert.equal(getUint16(bytes, 0), Math.floor(value / 65536));
  }));
});

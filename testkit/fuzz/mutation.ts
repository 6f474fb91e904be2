/** Makes inputs for decoders: random changes of valid inputs. The same seed and number always give the same input. */

import { LONGEST } from "./decoder.ts";

/** Bytes. A few inputs are longer than the usual ones, by repeating a part of them. */
const USUAL_LENGTH = 4096;
/** One of so many inputs may have up to {@link LONGEST} bytes. */
const LONG_EVERY = 500;

const INTERESTING = [
  ...[0, 1, 2, 7, 8, 9, 15, 16, 31, 32, 63, 64, 100, 127, 128, 129, 191, 192, 250, 254, 255, 256, 257, 512, 1000],
  ...[1024, 4095, 4096, 16_383, 16_384, 16_385, 32_767, 32_768, 65_535, 65_536, 0xff_ffff, 0x100_0000],
  ...[0x7fff_fffe, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff],
];

/** Random numbers (xorshift32). */
class Random {
  #state: number;

  constructor(seed: number, index: number) {
    // Neighbouring numbers must not give similar sequences.
    let state = (seed ^ Math.imul(index + 1, 0x9e37_79b1)) | 0;
    state = Math.imul(state ^ (state >>> 16), 0x85eb_ca6b);
    state = Math.imul(state ^ (state >>> 13), 0xc2b2_ae35);
    this.#state = (state ^ (state >>> 16)) || 1;
  }

  /** Returns a whole number from 0 to `count` - 1; 0 where `count` is 0. */
  below(count: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % Math.max(1, count);
  }
}

/** Returns input number `index`, of at most about `longest` bytes, for a decoder with these valid inputs. */
export function mutated(seeds: readonly Uint8Array[], seed: number, index: number, longest = LONGEST): Uint8Array {
  const random = new Random(seed, index);
  const pick = () => seeds[random.below(seeds.length)] ?? new Uint8Array(0);
  let bytes = pick().slice();
  for (let changes = 1 + random.below(1 << random.below(5)); changes > 0; changes--) {
    bytes = change(bytes, pick, random).subarray(0, Math.min(longest, USUAL_LENGTH + pick().length));
  }
  return random.below(LONG_EVERY) === 0 ? repeated(bytes, longest, random) : bytes;
}

type Bytes = Uint8Array<ArrayBuffer>;

function change(bytes: Bytes, pick: () => Uint8Array, random: Random): Bytes {
  const at = random.below(bytes.length);
  switch (random.below(11)) {
    case 0:
      if (bytes.length > 0) bytes[at]! ^= 1 << random.below(8);
      return bytes;
    case 1:
      if (bytes.length > 0) bytes[at] = random.below(256);
      return bytes;
    case 2:
      // A length that is wrong by a little.
      if (bytes.length > 0) bytes[at]! += random.below(9) - 4;
      return bytes;
    case 3:
      return putInteger(bytes, at, random);
    case 4:
      return bytes.slice(0, at);
    case 5:
      return joined(bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(1 << random.below(8))));
    case 6:
      return joined(bytes.subarray(0, at), noise(random), bytes.subarray(at));
    case 7:
      return repeated(bytes, bytes.length + 1 + random.below(1 << random.below(12)), random);
    case 8: {
      // The end of another valid input.
      const other = pick();
      return joined(bytes.subarray(0, at), other.subarray(random.below(other.length)));
    }
    case 9: {
      // A part of another valid input inside of this one.
      const other = pick();
      const from = random.below(other.length);
      const part = other.subarray(from, from + 1 + random.below(1 << random.below(7)));
      return joined(bytes.subarray(0, at), part, bytes.subarray(at));
    }
    default: {
      const from = random.below(bytes.length);
      bytes.copyWithin(at, from, from + 1 + random.below(32));
      return bytes;
    }
  }
}

/** Overwrites one to four bytes with an interesting number, in either byte order. */
function putInteger(bytes: Bytes, at: number, random: Random): Bytes {
  const width = [1, 2, 3, 4][random.below(4)]!, little = random.below(2) === 0;
  const value = INTERESTING[random.below(INTERESTING.length)]!;
  for (let i = 0; i < width && at + i < bytes.length; i++) {
    bytes[at + i] = value >>> (8 * (little ? i : width - 1 - i));
  }
  return bytes;
}

function noise(random: Random): Uint8Array {
  const bytes = new Uint8Array(1 + random.below(1 << random.below(6)));
  for (let i = 0; i < bytes.length; i++) bytes[i] = random.below(256);
  return bytes;
}

/** Repeats a part of the input until the whole has about `length` bytes. */
function repeated(bytes: Uint8Array, length: number, random: Random): Bytes {
  const from = random.below(bytes.length);
  const part = bytes.subarray(from, from + 1 + random.below(1 << random.below(8)));
  const count = part.length === 0 ? 0 : Math.max(0, Math.ceil((length - bytes.length) / part.length));
  return joined(bytes.subarray(0, from), ...Array<Uint8Array>(count).fill(part), bytes.subarray(from));
}

function joined(...parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

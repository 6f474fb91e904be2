/**
 * The serial numbers of a revocation list, in two typed arrays that are sent to a worker by one copy of memory. A
 * worker that had to build a set of a hundred thousand strings would be blocked for tenths of a second.
 *
 * A hash table with open addressing. Each record consists of a length and the INTEGER's content octets, padded.
 */

/** A set of serial numbers. */
export interface SerialSet {
  readonly size: number;
  /** The size of one record in octets. */
  readonly width: number;
  readonly records: Uint8Array;
  /** Record index plus one, by hash; 0: free. Its length is a power of two, at least twice `size`. */
  readonly table: Uint32Array;
}

/** Makes a set. `serials`: content octets of INTEGERs, at most 255 each. */
export function serialSet(serials: readonly Uint8Array[]): SerialSet {
  const width = 1 + serials.reduce((most, { length }) => Math.max(most, length), 0);
  const records = new Uint8Array(width * serials.length);
  const table = new Uint32Array(tableLength(serials.length));
  const set = { size: serials.length, width, records, table };
  serials.forEach((serial, index) => {
    records[index * width] = serial.length;
    records.set(serial, index * width + 1);
    const slot = slotOf(set, serial);
    if (table[slot] === 0) table[slot] = index + 1;
  });
  return set;
}

function tableLength(size: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, size) * 2));
}

/** Returns whether the set contains the serial, given as content octets. */
export function hasSerial(set: SerialSet, serial: Uint8Array): boolean {
  return set.table[slotOf(set, serial)] !== 0;
}

/** Returns the slot of the serial, or the free slot where it would be inserted. */
function slotOf(set: SerialSet, serial: Uint8Array): number {
  const mask = set.table.length - 1;
  let slot = hashOf(serial) & mask;
  while (set.table[slot] !== 0 && !isRecord(set, set.table[slot]! - 1, serial)) slot = (slot + 1) & mask;
  return slot;
}

function isRecord({ records, width }: SerialSet, index: number, serial: Uint8Array): boolean {
  const start = index * width;
  if (records[start] !== serial.length) return false;
  for (let i = 0; i < serial.length; i++) if (records[start + 1 + i] !== serial[i]) return false;
  return true;
}

/** FNV-1a. */
function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

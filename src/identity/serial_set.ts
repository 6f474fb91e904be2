/**
 * Serial numbers of a revocation list, as plain data that crosses threads by one copy of memory: a worker that had to
 * build a set of a hundred thousand strings would stand still for tenths of a second.
 *
 * An open hash table. Each record: a length and the INTEGER's content octets, padded.
 */

export interface SerialSet {
  readonly size: number;
  /** Octets of one record. */
  readonly width: number;
  readonly records: Uint8Array;
  /** Record number plus one by hash; 0 is free. Its length is a power of two, at least twice the size. */
  readonly table: Uint32Array;
}

/** `serials`: content octets, at most 255 each. */
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

export function hasSerial(set: SerialSet, serial: Uint8Array): boolean {
  return set.table[slotOf(set, serial)] !== 0;
}

/** Where the serial is, or would be. */
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

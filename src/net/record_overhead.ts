/** The budget of one TLS session for bytes that carry no data: a flood of empty or post-handshake records. */

/** Bytes on the wire beyond {@link PER_BYTE} for each byte of data. */
const ALLOWED = 131_072;
const PER_BYTE = 64;

export class RecordOverhead {
  #used = -ALLOWED;

  /** After a read: `wire` bytes have come, `data` bytes of data were in them. False: it is a flood. */
  allows(wire: number, data: number): boolean {
    this.#used = Math.max(-ALLOWED, this.#used + wire - PER_BYTE * data);
    return this.#used <= 0;
  }
}

/** Budget of one TLS session for bytes that carry no data: against floods of empty or post-handshake records. */

/** Bytes on the wire beyond {@link PER_BYTE} for each byte of data. */
const ALLOWED = 131_072;
const PER_BYTE = 64;

export class RecordOverhead {
  #used = -ALLOWED;

  /** Called after a read that took `wire` bytes and returned `data` bytes of data. False: the peer floods. */
  allows(wire: number, data: number): boolean {
    this.#used = Math.max(-ALLOWED, this.#used + wire - PER_BYTE * data);
    return this.#used <= 0;
  }
}

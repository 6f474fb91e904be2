/** Limits floods of TLS records that carry little data, or none. */

/** Bytes on the wire that are allowed beyond {@link PER_BYTE} for each byte of data. */
const ALLOWED = 131_072;
const PER_BYTE = 64;

/** The budget of one TLS session for bytes that carry no data. */
export class RecordOverhead {
  #used = -ALLOWED;

  /** Called after a read that took `wire` bytes and returned `data` bytes of data. False: the peer has sent too many bytes without data. */
  allows(wire: number, data: number): boolean {
    this.#used = Math.max(-ALLOWED, this.#used + wire - PER_BYTE * data);
    return this.#used <= 0;
  }
}

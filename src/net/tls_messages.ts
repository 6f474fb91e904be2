/** Reads the handshake messages that a peer sends after the handshake of TLS 1.3 (RFC 8446 §4.6). */
import type { TlsRole } from "../os/tls_settings.ts";
import { Alert } from "./tls_alerts.ts";

const NEW_SESSION_TICKET = 4, KEY_UPDATE = 24;
/** Type and length. */
const HEADER = 4;
/** Nonce, ticket and extensions of the largest sizes that their lengths allow. */
const LONGEST_TICKET = 131_338;
const UPDATE_REQUESTED = 1;

/** What a record of handshake messages asks of its receiver: an alert's number is negative. */
export const NOTHING = 0, NEW_KEY = 1, NEW_KEY_AND_OURS = 2;

/** Messages may be divided over records, so one object reads all of a session. Tickets are skipped, not stored. */
export class PeerMessages {
  readonly #role: TlsRole;
  /** The first bytes of a message: its header, and the only byte of a key update. */
  readonly #first = new Uint8Array(HEADER + 1);
  #count = 0;
  /** Bytes of a ticket that are still to be skipped. */
  #skip = 0;

  /** `role`: ours. */
  constructor(role: TlsRole) {
    this.#role = role;
  }

  /** A message has begun and has not ended. Records of another type must not come now (RFC 8446 §5.1). */
  get isWithinMessage(): boolean {
    return this.#count > 0 || this.#skip > 0;
  }

  /**
   * Reads the handshake bytes of one record. `begin` is called for each message, and returns false where there are too
   * many. Returns {@link NOTHING}, {@link NEW_KEY} for the following records of the peer, {@link NEW_KEY_AND_OURS} where
   * it requests the same of us, or the alert for the peer as a negative number.
   */
  read(bytes: Uint8Array, length: number, begin: () => boolean): number {
    if (length === 0) return -Alert.UNEXPECTED_MESSAGE;
    let at = 0;
    while (at < length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, length - at);
        this.#skip -= skipped;
        at += skipped;
        continue;
      }
      this.#first[this.#count++] = bytes[at++]!;
      if (this.#count === HEADER) {
        if (!begin()) return -Alert.UNEXPECTED_MESSAGE;
        const alert = this.#readHeader();
        if (alert !== 0) return -alert;
      } else if (this.#count > HEADER) {
        this.#count = 0;
        const request = this.#first[HEADER]!;
        if (request > UPDATE_REQUESTED) return -Alert.ILLEGAL_PARAMETER;
        // What follows is encrypted with the new key, so it cannot be in the same record.
        if (at < length) return -Alert.UNEXPECTED_MESSAGE;
        return request === UPDATE_REQUESTED ? NEW_KEY_AND_OURS : NEW_KEY;
      }
    }
    return NOTHING;
  }

  /** Returns an alert, or 0. */
  #readHeader(): number {
    const [type, high, middle, low] = this.#first;
    const length = high! << 16 | middle! << 8 | low!;
    switch (type) {
      case KEY_UPDATE:
        return length === 1 ? 0 : Alert.DECODE_ERROR;
      case NEW_SESSION_TICKET:
        if (this.#role === "server") return Alert.UNEXPECTED_MESSAGE;
        this.#count = 0;
        this.#skip = length;
        return length <= LONGEST_TICKET ? 0 : Alert.DECODE_ERROR;
      default:
        return Alert.UNEXPECTED_MESSAGE;
    }
  }
}

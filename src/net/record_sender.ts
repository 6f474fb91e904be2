/**
 * Makes the records of a TLS 1.3 session after its handshake (RFC 8446 §5): bytes in, records out, without a socket.
 *
 *     open ──close_notify or another alert──▶ closed
 *
 * Once it is closed it makes no record any more.
 */
import { APPLICATION_DATA, OVERHEAD, type RecordCipher } from "../os/record_cipher.ts";
import { type OwedUpdate, RECORDS_PER_KEY, recordsOf } from "./record_limits.ts";
import { Alert } from "./tls_alerts.ts";

const ALERT = 21, HANDSHAKE = 22;
const WARNING = 1, FATAL = 2;
/** Key updates without and with the request that the peer does the same. */
const UPDATE = Uint8Array.of(24, 0, 0, 1, 0), REQUEST = Uint8Array.of(24, 0, 0, 1, 1);

/** Of a key update and one byte of data. */
const SMALLEST_UNIT = 2 * OVERHEAD + UPDATE.length + 1;

/** The sending side of one session. It owns the cipher: call {@link free}. */
export class RecordSender {
  readonly #cipher: RecordCipher;
  readonly #unit: number;
  /** Full records fill a unit without a rest. */
  readonly #dataPerRecord: number;
  readonly #recordsPerKey: number;
  #state: "open" | "closed" = "open";
  /** What goes before the next data (RFC 8446 §4.6.3), once, however often it is requested until then. */
  #owed: OwedUpdate = "nothing";
  /** Data bytes that the last {@link sealData} took. */
  taken = 0;

  /** `unit`: bytes of records that leave in one write. */
  constructor(cipher: RecordCipher, unit: number, recordsPerKey = RECORDS_PER_KEY) {
    this.#cipher = cipher;
    this.#unit = Math.max(unit, SMALLEST_UNIT);
    this.#dataPerRecord = recordsOf(this.#unit).data;
    this.#recordsPerKey = recordsPerKey;
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Our key is replaced before the next data. "request": the peer is asked to replace its own, too. */
  owe(update: OwedUpdate): void {
    if (update !== "nothing" && this.#owed !== "request") this.#owed = update;
  }

  /**
   * Writes records with as much of `data`, from `from` on, as one unit holds to the start of `into`. Returns their length;
   * `taken` says how much data they hold. Throws once the sender is closed.
   */
  sealData(data: Uint8Array, from: number, into: Uint8Array): number {
    if (this.#state === "closed") throw new Error("data behind the end of a TLS session");
    if (this.#cipher.records >= this.#recordsPerKey) this.owe("update");
    let end = this.#owed === "nothing" ? 0 : this.#updateKey(into), at = from;
    while (at < data.length) {
      const room = Math.min(this.#dataPerRecord, this.#unit - end - OVERHEAD);
      if (room <= 0) break;
      const part = at === 0 && data.length <= room ? data : data.subarray(at, at + room);
      end += this.#cipher.seal(APPLICATION_DATA, part, into, end);
      at += part.length;
    }
    this.taken = at - from;
    return end;
  }

  /** Writes the record of an alert, the last one, at `at`. Returns where it ends. Closed already: it makes none. */
  sealAlert(alert: number, into: Uint8Array, at: number): number {
    if (this.#state === "closed") return at;
    this.#state = "closed";
    const level = alert === Alert.CLOSE_NOTIFY ? WARNING : FATAL;
    return at + this.#cipher.seal(ALERT, Uint8Array.of(level, alert), into, at);
  }

  /** Nothing can be sent any more. Idempotent. */
  free(): void {
    this.#state = "closed";
    this.#cipher.free();
  }

  #updateKey(into: Uint8Array): number {
    const length = this.#cipher.seal(HANDSHAKE, this.#owed === "request" ? REQUEST : UPDATE, into, 0);
    this.#cipher.update();
    this.#owed = "nothing";
    return length;
  }
}

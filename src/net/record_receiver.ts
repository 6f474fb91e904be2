/**
 * Opens the records of a TLS 1.3 session after its handshake (RFC 8446 §5): bytes in, data out, without a socket.
 *
 *     open ──close_notify──▶ closed
 *       └──alert of the peer, violation, flood──▶ failed
 *
 * Nothing that has not been authenticated leaves it, and no byte behind the end of either kind is looked at.
 */
import { MessageBudget } from "../os/message_budget.ts";
import { APPLICATION_DATA, HEADER, type RecordCipher, TAG } from "../os/record_cipher.ts";
import type { TlsFailure } from "../os/tls_failure.ts";
import type { TlsRole } from "../os/tls_settings.ts";
import type { Millis } from "./clock.ts";
import { LONGEST_RECORD, MOST_DATA, type OwedUpdate, RECORDS_PER_KEY } from "./record_limits.ts";
import { Alert, alertName } from "./tls_alerts.ts";
import { NEW_KEY_AND_OURS, NOTHING, PeerMessages } from "./tls_messages.ts";

const ALERT = 21, HANDSHAKE = 22;

/** Why no more records are opened. `alert`: for the peer, null where it is the peer's own. */
export type ReceivingEnd =
  | { readonly kind: "close_notify" }
  | { readonly kind: "failed"; readonly failure: TlsFailure; readonly alert: number | null };

/** The receiving side of one session. It owns the cipher: call {@link free}. */
export class RecordReceiver {
  readonly #cipher: RecordCipher;
  readonly #role: TlsRole;
  /** For records that do not fit into the memory of the reader: shared, used within one call. */
  readonly #scratch: Uint8Array;
  /** Data of a record that its reader has not taken yet. */
  #rest: Uint8Array | null = null;
  #messages: PeerMessages | null = null;
  #budget: MessageBudget | null = null;
  /** Bytes of records that were opened, modulo 2^32. */
  #wire = 0;
  #now: Millis = 0;
  readonly #begin = () => this.#takeMessage();
  /** Null while records are opened. */
  end: ReceivingEnd | null = null;
  /** Where the records end that the last call has opened. What follows is to be offered again. */
  at = 0;
  /** The last call stopped at its limit of records: there may be whole records left. */
  stopped = false;
  readonly #recordsPerKey: number;
  #owed: OwedUpdate = "nothing";
  /** The peer was asked to replace its present key. Not every library does so by itself. */
  #hasAsked = false;
  /** Bytes of the record that was opened last. */
  lastRecord = 0;

  /** `role`: ours. `scratch`: {@link LONGEST_RECORD} bytes. */
  constructor(cipher: RecordCipher, role: TlsRole, scratch: Uint8Array, recordsPerKey = RECORDS_PER_KEY) {
    this.#cipher = cipher;
    this.#role = role;
    this.#scratch = scratch;
    this.#recordsPerKey = recordsPerKey;
  }

  /** The key update that the records which were opened make necessary. The caller sends it. */
  takeOwed(): OwedUpdate {
    const owed = this.#owed;
    this.#owed = "nothing";
    return owed;
  }

  /** There is data that {@link takeRest} returns. It comes before what further records bring. */
  get hasRest(): boolean {
    return this.#rest !== null;
  }

  /** Returns how many bytes of an earlier record it has written to `into`. */
  takeRest(into: Uint8Array): number {
    const rest = this.#rest!;
    const count = Math.min(rest.length, into.length);
    into.set(rest.subarray(0, count));
    this.#rest = count < rest.length ? rest.subarray(count) : null;
    return count;
  }

  /**
   * Opens at most `limit` records of `wire`, which has bytes from `from` up to `to`, and writes their data to `into`.
   * Returns the number of data bytes; see `at`, `stopped` and `end` then. Where `into` is smaller than a record, it opens
   * one and keeps the rest of its data for {@link takeRest}.
   */
  open(wire: Uint8Array, from: number, to: number, into: Uint8Array, limit: number, now: Millis): number {
    this.#now = now;
    this.stopped = false;
    let at = from, filled = 0;
    for (let left = limit; this.end === null && to - at >= HEADER; left--) {
      const body = wire[at + 3]! << 8 | wire[at + 4]!;
      if (!this.#allows(wire, at, body) || to - at < HEADER + body) break;
      const fits = into.length - filled >= body - TAG;
      this.stopped = left === 0 || !fits && filled > 0 || this.#rest !== null;
      if (this.stopped) break;
      const target = fits ? filled === 0 ? into : into.subarray(filled) : this.#scratch;
      const size = body < TAG ? -1 : this.#cipher.open(wire, at, body, target);
      if (size < 0) this.#fail(Alert.BAD_RECORD_MAC);
      else {
        this.lastRecord = HEADER + body;
        at += this.lastRecord;
        this.#wire = (this.#wire + this.lastRecord) >>> 0;
        const data = this.#take(target, size);
        filled += fits ? data : this.#keep(into, data);
      }
    }
    this.at = at;
    if (this.#cipher.records >= this.#recordsPerKey && !this.#hasAsked) {
      this.#hasAsked = true;
      this.#owed = "request";
    }
    return filled;
  }

  free(): void {
    this.#cipher.free();
    this.#rest = null;
  }

  /** Checks what the header of a record says. */
  #allows(wire: Uint8Array, at: number, body: number): boolean {
    if (wire[at] !== APPLICATION_DATA) this.#fail(Alert.UNEXPECTED_MESSAGE);
    else if (wire[at + 1] !== 3 || wire[at + 2] !== 3) this.#fail(Alert.DECODE_ERROR);
    else if (body > LONGEST_RECORD - HEADER) this.#fail(Alert.RECORD_OVERFLOW);
    return this.end === null;
  }

  /** Interprets an authentic record of `size` bytes. Returns how many of them are data. */
  #take(record: Uint8Array, size: number): number {
    if (size > MOST_DATA + 1) return this.#fail(Alert.RECORD_OVERFLOW);
    let length = size - 1;
    while (length >= 0 && record[length] === 0) length--;
    const type = length < 0 ? 0 : record[length];
    if (type !== HANDSHAKE && this.#messages?.isWithinMessage) return this.#fail(Alert.UNEXPECTED_MESSAGE);
    switch (type) {
      case APPLICATION_DATA:
        return length;
      case ALERT:
        return this.#readAlert(record, length);
      case HANDSHAKE:
        return this.#readMessages(record, length);
      default:
        return this.#fail(Alert.UNEXPECTED_MESSAGE);
    }
  }

  /** The level of an alert means nothing in TLS 1.3 (RFC 8446 §6). */
  #readAlert(record: Uint8Array, length: number): number {
    if (length !== 2) return this.#fail(Alert.DECODE_ERROR);
    const number = record[1]!;
    if (number === Alert.CLOSE_NOTIFY) this.end = { kind: "close_notify" };
    else if (number !== Alert.USER_CANCELED) {
      this.end = { kind: "failed", failure: { kind: "alert", number }, alert: null };
    } else if (!this.#takeMessage()) this.#fail(Alert.UNEXPECTED_MESSAGE);
    return 0;
  }

  #readMessages(record: Uint8Array, length: number): number {
    this.#messages ??= new PeerMessages(this.#role);
    const result = this.#messages.read(record, length, this.#begin);
    if (result < 0) return this.#fail(-result);
    if (result === NOTHING) return 0;
    this.#cipher.update();
    this.#hasAsked = false;
    if (result === NEW_KEY_AND_OURS && this.#owed === "nothing") this.#owed = "update";
    return 0;
  }

  /** False: the peer has sent too many messages, which is then the reason of the failure. */
  #takeMessage(): boolean {
    this.#budget ??= new MessageBudget(this.#now, this.#wire);
    if (this.#budget.take(this.#now, this.#wire)) return true;
    this.end = { kind: "failed", failure: { kind: "flood" }, alert: Alert.UNEXPECTED_MESSAGE };
    return false;
  }

  /** Copies data out of the scratch memory. Returns how many bytes the reader gets now. */
  #keep(into: Uint8Array, length: number): number {
    const count = Math.min(length, into.length);
    into.set(this.#scratch.subarray(0, count));
    if (count < length) this.#rest = this.#scratch.slice(count, length);
    return count;
  }

  /** Returns 0, the number of data bytes. */
  #fail(alert: number): number {
    const text = `the peer has violated TLS: ${alertName(alert)}`;
    this.end ??= { kind: "failed", failure: { kind: "protocol", text }, alert };
    return 0;
  }
}

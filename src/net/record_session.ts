/**
 * Records of TLS 1.3 that we protect ourselves. The TLS library has done the handshake and is not used any more.
 *
 * One read of the carrier takes as many records as there are, and they are decrypted into the memory of the reader; data
 * that is written is encrypted into memory of which one write sends a whole unit. So no byte is copied
 * (`docs/spec/dataplane-speed.md` 15).
 */
import { HEADER, type RecordCiphers } from "../os/record_cipher.ts";
import type { TlsFailure } from "../os/tls_failure.ts";
import type { TlsRole } from "../os/tls_settings.ts";
import type { Millis } from "./clock.ts";
import { INPUT, type KeptBytes, type RecordBuffers } from "./record_buffers.ts";
import type { RecordCarrier } from "./record_carrier.ts";
import { LONGEST_RECORD } from "./record_limits.ts";
import { RecordReceiver } from "./record_receiver.ts";
import { RecordSender } from "./record_sender.ts";
import { BROKEN, type Remainder, type TlsSession } from "./tls_session.ts";
import { Alert } from "./tls_alerts.ts";

/** Records in one read. A record costs 0.3 us however little it carries, and a peer may send records of one byte. */
const RECORDS_PER_READ = 256;
/** Records from this length on are assumed to have equal lengths. */
const BULK_RECORD = 4096;

/** What the handshake has left: bytes that it has read and not used, and bytes that the carrier has not taken. */
interface HandshakeRest {
  readonly received: Uint8Array;
  readonly unsent: Uint8Array;
}

const NO_REST: HandshakeRest = { received: new Uint8Array(0), unsent: new Uint8Array(0) };

/** See {@link TlsSession}. */
export class RecordSession implements TlsSession {
  readonly #carrier: RecordCarrier;
  readonly #receiver: RecordReceiver;
  readonly #sender: RecordSender;
  readonly #buffers: RecordBuffers;
  /** Bytes that were received and not opened yet: part of a record, or records beyond the limit of a read. */
  #received: KeptBytes | null = null;
  /** {@link #received} may have whole records: they are opened before the carrier is read again. */
  #hasRecords = false;
  /** Records that the carrier has not taken. */
  #unsent: KeptBytes | null = null;
  /** Close_notify is to follow {@link #unsent}. */
  #closesLater = false;
  remainder: Remainder = "more";
  wireBytes = 0;
  failure: TlsFailure | null = null;

  /** Takes over `ciphers`. `role`: ours. `unit`: bytes of records that leave in one write. */
  constructor(
    carrier: RecordCarrier,
    ciphers: RecordCiphers,
    role: TlsRole,
    unit: number,
    buffers: RecordBuffers,
    { received, unsent } = NO_REST,
  ) {
    this.#carrier = carrier;
    this.#buffers = buffers;
    this.#receiver = new RecordReceiver(ciphers.receive, role, buffers.scratch);
    this.#sender = new RecordSender(ciphers.send, unit);
    this.#hasRecords = received.length > 0;
    if (received.length > 0) this.#received = buffers.keep(received, 0, received.length);
    if (unsent.length > 0) this.#unsent = buffers.keep(unsent, 0, unsent.length);
  }

  get isFlushed(): boolean {
    return this.#unsent === null && !this.#closesLater;
  }

  read(into: Uint8Array, now: Millis, mayStop: boolean): number {
    this.wireBytes = 0;
    if (this.failure !== null) return BROKEN;
    this.remainder = "more";
    if (this.#receiver.hasRest) return this.#receiver.takeRest(into);
    if (this.#receiver.end !== null) return this.#ended();
    const kept = this.#received, { input } = this.#buffers;
    if (kept !== null && this.#hasRecords) {
      const filled = this.#open(kept.memory, kept.from, kept.end, into, now);
      kept.from = this.#receiver.at;
      if (kept.from === kept.end || this.#receiver.end !== null) this.#dropReceived();
      return filled;
    }
    const before = kept === null ? 0 : kept.end - kept.from;
    const wanted = this.#wanted(into.length, kept, before);
    const count = this.#carrier.read(before === 0 ? input : input.subarray(before), wanted);
    if (count <= 0) {
      this.remainder = "nothing";
      if (count === BROKEN) this.failure = this.#carrier.failure;
      return count;
    }
    if (count < wanted && mayStop) this.remainder = "nothing";
    if (kept !== null) {
      input.set(kept.memory.subarray(kept.from, kept.end));
      this.#dropReceived();
    }
    const length = before + count;
    const filled = this.#open(input, 0, length, into, now);
    if (this.#receiver.at < length && this.#receiver.end === null) {
      this.#received = this.#buffers.keep(input, this.#receiver.at, length);
    }
    return filled;
  }

  write(bytes: Uint8Array): number {
    if (this.#receiver.end?.kind === "failed") this.failure ??= this.#receiver.end.failure;
    if (this.failure !== null) return BROKEN;
    // A write that was not taken whole is continued after an event.
    if (!this.isFlushed) return 0;
    const { output } = this.#buffers;
    let taken = 0;
    try {
      while (taken < bytes.length && this.#unsent === null) {
        const length = this.#sender.sealData(bytes, taken, output);
        taken += this.#sender.taken;
        this.#send(output, length);
      }
    } catch (error) {
      // Whatever was encrypted last is not sent, and nothing is behind it.
      this.failure ??= { kind: "internal", text: error instanceof Error ? error.message : String(error) };
    }
    return this.failure === null ? taken : BROKEN;
  }

  flush(): boolean {
    const unsent = this.#unsent;
    if (unsent !== null) {
      const count = this.#write(unsent.memory.subarray(unsent.from), unsent.end - unsent.from);
      unsent.from += count;
      if (unsent.from < unsent.end) return false;
      this.#unsent = null;
      this.#buffers.release(unsent);
    }
    if (this.#closesLater) this.#sendAlert(Alert.CLOSE_NOTIFY);
    return this.isFlushed;
  }

  sendCloseNotify(): boolean {
    if (this.#sender.isClosed) return this.flush();
    if (this.#unsent === null) this.#sendAlert(Alert.CLOSE_NOTIFY);
    else this.#closesLater = true;
    return this.isFlushed;
  }

  free(): void {
    this.#receiver.free();
    this.#sender.free();
    this.#dropReceived();
    if (this.#unsent !== null) this.#buffers.release(this.#unsent);
    this.#unsent = null;
    this.#closesLater = false;
    this.failure ??= { kind: "internal", text: "the TLS session is freed" };
  }

  /**
   * How many bytes to read. The data of records has fewer bytes than they have, so it fits into `room`. In bulk the read
   * ends with a record where the last one tells how long they are: what is left of a record is copied.
   */
  #wanted(room: number, kept: KeptBytes | null, before: number): number {
    const most = Math.min(INPUT, Math.max(room, LONGEST_RECORD)) - before;
    const { lastRecord } = this.#receiver;
    if (lastRecord < BULK_RECORD) return most;
    const first = kept === null || before < HEADER ? 0 : restOfRecord(kept);
    const whole = first + Math.floor((most - first) / lastRecord) * lastRecord;
    return whole > 0 ? whole : most;
  }

  /** Opens records, and reacts to what they ask. */
  #open(wire: Uint8Array, from: number, to: number, into: Uint8Array, now: Millis): number {
    const receiver = this.#receiver;
    const filled = receiver.open(wire, from, to, into, RECORDS_PER_READ, now);
    this.wireBytes = receiver.at - from;
    this.#hasRecords = receiver.stopped;
    this.#sender.owe(receiver.takeOwed());
    const { end } = receiver;
    if (end?.kind === "close_notify" && !receiver.hasRest) this.remainder = "end";
    else if (receiver.stopped || receiver.hasRest || end !== null) this.remainder = "more";
    if (end === null) return filled;
    if (end.kind === "failed" && end.alert !== null && this.#unsent === null) this.#sendAlert(end.alert);
    // Data is returned first: the next read finds the end.
    return filled > 0 || receiver.hasRest ? filled : this.#ended();
  }

  /** The receiver has ended, and all data before that was read. */
  #ended(): number {
    const end = this.#receiver.end!;
    if (end.kind === "close_notify") {
      this.remainder = "end";
      return 0;
    }
    this.failure = end.failure;
    return BROKEN;
  }

  #dropReceived(): void {
    if (this.#received !== null) this.#buffers.release(this.#received);
    this.#received = null;
  }

  #sendAlert(alert: number): void {
    this.#closesLater = false;
    const { output } = this.#buffers;
    const length = this.#sender.sealAlert(alert, output, 0);
    if (length > 0) this.#send(output, length);
  }

  #send(records: Uint8Array, length: number): void {
    const count = this.#write(records, length);
    if (count < length && this.failure === null) this.#unsent = this.#buffers.keep(records, count, length);
  }

  /** Returns how many bytes the carrier has taken. */
  #write(bytes: Uint8Array, length: number): number {
    const count = this.#carrier.write(bytes, length);
    if (count >= 0) return count;
    this.failure ??= this.#carrier.failure;
    return 0;
  }
}

/** Bytes that are missing of the record whose beginning is kept. */
function restOfRecord({ memory, from, end }: KeptBytes): number {
  return HEADER + (memory[from + 3]! << 8 | memory[from + 4]!) - (end - from);
}

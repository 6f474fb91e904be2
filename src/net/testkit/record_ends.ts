/** The two ends of one direction of a TLS 1.3 session after its handshake, with a secret that is known. */
import { openTlsLibrary } from "../../os/open_tls_library.ts";
import { RecordCipher } from "../../os/record_cipher.ts";
import { memoryForSecret, RecordSuite } from "../../os/record_suite.ts";

/** Opened once: libraries stay in the process. */
const { crypto } = openTlsLibrary();

export const ALERT = 21, HANDSHAKE = 22, DATA = 23;
export const CLOSE_NOTIFY = Uint8Array.of(1, 0);
/** Messages: a key update, one that requests the same, a ticket. */
export const UPDATE = Uint8Array.of(24, 0, 0, 1, 0), REQUEST = Uint8Array.of(24, 0, 0, 1, 1);
export const TICKET = Uint8Array.of(4, 0, 0, 6, 1, 2, 3, 4, 5, 6);

/** A record that was opened. */
interface Opened {
  readonly type: number;
  readonly content: Uint8Array;
}

/** Ciphers of one secret. Those that the test makes by {@link cipher} belong to what it passes them to. */
export class RecordEnds implements Disposable {
  readonly #suite = RecordSuite.open(crypto, "TLS_AES_128_GCM_SHA256")!;
  readonly #send = this.cipher("send");
  readonly #receive = this.cipher("receive");

  cipher(direction: "send" | "receive"): RecordCipher {
    return new RecordCipher(this.#suite, memoryForSecret(32).fill(5), direction);
  }

  /** The next record of the peer. */
  sealed(type: number, content: Uint8Array, padding = 0): Uint8Array {
    const into = new Uint8Array(content.length + padding + 22);
    if (padding === 0) this.#send.seal(type, content, into, 0);
    else this.#send.seal(0, Uint8Array.of(...content, type, ...new Uint8Array(padding - 1)), into, 0);
    return into;
  }

  /** The following records of {@link sealed} have the next key. */
  updateKey(): void {
    this.#send.update();
  }

  /** Opens records that were made with {@link cipher}, in order, as another end would. Throws where one is not authentic. */
  opened(records: Uint8Array): Opened[] {
    const found: Opened[] = [];
    for (let at = 0; at < records.length;) {
      const body = records[at + 3]! << 8 | records[at + 4]!;
      const into = new Uint8Array(body);
      const size = this.#receive.open(records, at, body, into);
      if (size < 0) throw new Error(`record ${found.length} is not authentic`);
      const { type, content } = { type: into[size - 1]!, content: into.slice(0, size - 1) };
      found.push({ type, content });
      if (type === HANDSHAKE && content[0] === UPDATE[0]) this.#receive.update();
      at += 5 + body;
    }
    return found;
  }

  [Symbol.dispose](): void {
    for (const owned of [this.#send, this.#receive, this.#suite]) owned.free();
  }
}

/** One array of the bytes of several. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

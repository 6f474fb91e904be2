/**
 * Compares our records of TLS 1.3 with those of OpenSSL: both ends of a handshake are made in memory, one end then sends
 * records of any content, and OpenSSL and our receiver read the same bytes with the same keys.
 */
import { HOUR, makeCa, makeLeaf, newKey } from "../src/identity/testkit/certificates.ts";
import { tlsPolicy } from "../src/identity/tls_policy.ts";
import { RecordReceiver } from "../src/net/record_receiver.ts";
import { ALERT, DATA, HANDSHAKE, joined } from "../src/net/testkit/record_ends.ts";
import type { RecordCipher, RecordCiphers } from "../src/os/record_cipher.ts";
import { NativeTls } from "../src/os/tls_native.ts";
import type { NativeTlsContext } from "../src/os/tls_native_context.ts";
import { CLOSED_BY_PEER, type NativeTlsSession } from "../src/os/tls_native_session.ts";
import { anyOpenSsl } from "./tls_libraries.ts";

/** Bytes after which a peer sends nothing more, and of the largest step. */
const MOST = 100_000, LARGEST_STEP = 17_000;
const KEY_UPDATE = 24;

/** What one end has made of the bytes. `alert`: of the end that failed, for its peer; null: it sent none. */
interface Reading {
  readonly data: Uint8Array;
  readonly end: "open" | "closed" | "failed";
  readonly alert: number | null;
}

/** What a peer sends. */
interface PeerRecords {
  readonly wire: Uint8Array;
  /** The data of all records before the first bytes that are not of a record. */
  readonly data: Uint8Array;
}

/** One for each thread. */
export class TlsOracle implements Disposable {
  readonly #tls = new NativeTls(
    anyOpenSsl(),
    tlsPolicy({ tls12: false, postQuantumOnly: false, fips: false }),
  );
  readonly #contexts: Record<"client" | "server", NativeTlsContext>;

  constructor() {
    const now = Date.now(), valid = { notBefore: now - HOUR, notAfter: now + HOUR };
    const root = makeCa("root", valid);
    const context = (name: string) => {
      const key = newKey();
      return this.#tls.newContext({
        chain: [makeLeaf(root, `spiffe://td/ns/a/sa/${name}`, { ...valid, key })],
        key: new Uint8Array(key.export({ format: "der", type: "pkcs8" })),
        anchors: [root.certificate],
      });
    };
    this.#contexts = { client: context("client"), server: context("server") };
  }

  /** The bytes that the end `role` sends for `program`, and what both readers make of them, in pieces of `piece` bytes or more. */
  compare(
    program: Uint8Array,
    role: "client" | "server",
    piece: number,
  ): { ours: Reading; openssl: Reading } & PeerRecords {
    const sender = this.#contexts[role].newMemorySession(role, () => null);
    const other = role === "client" ? "server" : "client";
    const receiver = this.#contexts[other].newMemorySession(other, () => null);
    handshake(sender, receiver);
    const { cipher } = receiver.negotiated();
    const theirs = sender.takeRecordCiphers(cipher)!, ours = receiver.takeRecordCiphers(cipher)!;
    const sent = makeRecords(program, theirs.send);
    const openssl = readByOpenSsl(receiver, sent.wire, theirs.receive);
    const reading = readByUs(ours, other, sent.wire, Math.max(piece, sent.wire.length >> 9));
    for (const cipher of [theirs.send, theirs.receive, ours.send]) cipher.free();
    for (const session of [sender, receiver]) session.free();
    return { ours: reading, openssl, ...sent };
  }

  [Symbol.dispose](): void {
    for (const context of Object.values(this.#contexts)) context.close();
    this.#tls.close();
  }
}

function handshake(...sessions: readonly [NativeTlsSession, NativeTlsSession]): void {
  const buffer = new Uint8Array(65_536), states = ["again", "again"];
  for (let round = 0; states.includes("again") && round < 10; round++) {
    sessions.forEach((session, i) => {
      if (states[i] === "again") states[i] = session.handshake();
      const count = session.drain(buffer);
      if (count > 0) sessions[1 - i]!.feed(buffer.subarray(0, count));
    });
  }
  if (states.some((state) => state !== "done")) throw new Error(`no handshake: ${states}`);
}

/**
 * Interprets any bytes as records that a peer sends. Of each step the first byte says what is sent and how much padding
 * it has, the second how many of the following bytes are its content.
 */
function makeRecords(program: Uint8Array, cipher: RecordCipher): PeerRecords {
  const wire = new Uint8Array(MOST + LARGEST_STEP), data: Uint8Array[] = [];
  let end = 0, isValid = true;
  const seal = (type: number, inner: Uint8Array, padding: number) => {
    const plain = joined(inner, Uint8Array.of(type), new Uint8Array(padding));
    // What counts is the last byte that is not zero.
    const typeAt = plain.findLastIndex((byte) => byte !== 0);
    if (isValid && plain[typeAt] === DATA) data.push(plain.slice(0, typeAt));
    return cipher.seal(plain.at(-1)!, plain.subarray(0, -1), wire, end);
  };
  for (let at = 0; at + 2 <= program.length && end < MOST;) {
    const step = program[at]! & 7, padding = program[at]! >> 3, length = program[at + 1]!;
    const content = program.slice(at + 2, at + 2 + length);
    at += 2 + length;
    switch (step) {
      case 0:
      case 1:
        end += seal(DATA, content, padding);
        break;
      case 2: {
        // Large, so that records and padding come near their limits.
        const large = new Uint8Array(16_384 - 8 + (length & 15)).fill(length);
        end += seal(DATA, large, padding);
        break;
      }
      case 3:
        end += seal(HANDSHAKE, content, padding);
        break;
      case 4:
        end += seal(ALERT, content, padding);
        break;
      case 5:
        end += seal(content[0] ?? 0, content.subarray(1), padding);
        break;
      case 6:
        isValid &&= content.length === 0;
        wire.set(content, end);
        end += content.length;
        break;
      default:
        end += seal(HANDSHAKE, Uint8Array.of(KEY_UPDATE, 0, 0, 1, length & 1), padding);
        cipher.update();
    }
  }
  return { wire: wire.slice(0, end), data: joined(...data) };
}

/** Reads as `RecordSession` does. */
function readByUs(ciphers: RecordCiphers, role: "client" | "server", wire: Uint8Array, piece: number): Reading {
  const receiver = new RecordReceiver(ciphers.receive, role, new Uint8Array(20_000));
  const data: Uint8Array[] = [], into = new Uint8Array(Math.max(1, piece & 0x7fff));
  let at = 0;
  for (let to = Math.min(piece, wire.length);;) {
    const count = receiver.hasRest ? receiver.takeRest(into) : receiver.open(wire, at, to, into, 4, 0);
    if (count > into.length) throw new Error("more data than memory");
    data.push(into.slice(0, count));
    if (!receiver.hasRest || receiver.at > at) at = Math.max(at, receiver.at);
    if (receiver.hasRest || receiver.stopped && receiver.end === null) continue;
    if (receiver.end !== null || to === wire.length) break;
    to = Math.min(to + piece, wire.length);
  }
  receiver.free();
  const { end } = receiver;
  const all = joined(...data);
  if (end === null) return { data: all, end: "open", alert: null };
  return end.kind === "close_notify"
    ? { data: all, end: "closed", alert: null }
    : { data: all, end: "failed", alert: end.alert };
}

function readByOpenSsl(session: NativeTlsSession, wire: Uint8Array, receive: RecordCipher): Reading {
  session.feed(wire);
  const data: Uint8Array[] = [], into = new Uint8Array(20_000);
  let count = 0;
  while ((count = session.read(into, 0)) > 0) data.push(into.slice(0, count));
  const end = count === 0 ? "open" : count === CLOSED_BY_PEER ? "closed" : "failed";
  return { data: joined(...data), end, alert: end === "failed" ? alertOf(session, receive) : null };
}

/** The alert that OpenSSL has sent. */
function alertOf(session: NativeTlsSession, receive: RecordCipher): number | null {
  const record = new Uint8Array(65_536), length = session.drain(record);
  if (length === 0) return null;
  const content = new Uint8Array(65_536), body = record[3]! << 8 | record[4]!;
  const size = receive.open(record, 0, body, content);
  return size === 3 && content[2] === ALERT ? content[1]! : null;
}

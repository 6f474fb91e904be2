/**
 * Receives and sends many datagrams with one system call: recvmmsg(2) and sendmmsg(2) over arrays of `struct mmsghdr`
 * (`docs/spec/inpod-dns.md` C1). One receiver and one sender serve all sockets of an isolate, since their datagrams are
 * handled before the next call.
 */
import * as c from "./constants.ts";
import { libc } from "./libc_sockets.ts";
import { addressOf } from "./pointers.ts";

/** 32-bit words of a `struct sockaddr_in6`, the largest address. */
export const NAME_WORDS = 7;
/** Words of the control buffer: one `in6_pktinfo` (CMSG_SPACE(20) = 40), or `in_pktinfo` (32). */
const CONTROL_WORDS = 10;
/** Words of an `in6_pktinfo` behind its header. */
const INFO_WORDS = 5;

const HEADER_WORDS = 16, NAME_LENGTH = 2, CONTROL_LENGTH = 10, RECEIVED = 14;
const VECTOR_WORDS = 4, VECTOR_LENGTH = 2;
const CMSG_HEADER = 16, CMSG_LEVEL_WORD = 2, CMSG_TYPE_WORD = 3, CMSG_DATA_WORD = 4;
const INFO_LENGTH_V6 = 20, INFO_LENGTH_V4 = 12;

/** Headers of `slots` messages, each with room for an address and a control message. Payloads are elsewhere. */
class MessageArray {
  readonly headers: Int32Array<ArrayBuffer>;
  readonly names: Int32Array<ArrayBuffer>;
  readonly control: Int32Array<ArrayBuffer>;
  readonly vectors: Int32Array<ArrayBuffer>;
  readonly headerBytes: Uint8Array<ArrayBuffer>;

  constructor(readonly slots: number) {
    this.headers = new Int32Array(HEADER_WORDS * slots);
    this.headerBytes = new Uint8Array(this.headers.buffer);
    this.names = new Int32Array(NAME_WORDS * slots);
    this.control = new Int32Array(CONTROL_WORDS * slots);
    this.vectors = new Int32Array(VECTOR_WORDS * slots);
    const names = addressOf(this.names), control = addressOf(this.control), vectors = addressOf(this.vectors);
    for (let slot = 0; slot < slots; slot++) {
      this.#setPointer(HEADER_WORDS * slot, names + 4 * NAME_WORDS * slot);
      this.#setPointer(HEADER_WORDS * slot + 4, vectors + 4 * VECTOR_WORDS * slot);
      this.headers[HEADER_WORDS * slot + 6] = 1;
      this.#setPointer(HEADER_WORDS * slot + 8, control + 4 * CONTROL_WORDS * slot);
    }
  }

  /** Sets the address and the length of the payload of a message. */
  setPayload(slot: number, address: number, length: number): void {
    const vector = VECTOR_WORDS * slot;
    this.vectors[vector] = address | 0;
    this.vectors[vector + 1] = Math.floor(address / 4294967296);
    this.vectors[vector + VECTOR_LENGTH] = length;
  }

  #setPointer(word: number, address: number): void {
    this.headers[word] = address | 0;
    this.headers[word + 1] = Math.floor(address / 4294967296);
  }
}

/** Receives with recvmmsg(2). What its functions return is valid until the next {@link DatagramReceiver.receive}. */
export class DatagramReceiver {
  readonly #messages: MessageArray;
  readonly #payload: Uint8Array;
  readonly #slotSize: number;
  /** How many slots have lengths that the kernel has changed. */
  #used: number;

  constructor(slots: number, slotSize: number) {
    this.#messages = new MessageArray(slots);
    // The kernel provides a page of it only when a datagram is written there.
    this.#payload = new Uint8Array(slots * slotSize);
    this.#slotSize = slotSize;
    this.#used = slots;
    const base = addressOf(this.#payload);
    for (let slot = 0; slot < slots; slot++) this.#messages.setPayload(slot, base + slot * slotSize, slotSize);
  }

  /** Receives at most `most` datagrams. Returns how many; below zero on failure: `errno()` says why. */
  receive(fd: number, most: number): number {
    const { headers, headerBytes, slots } = this.#messages;
    for (let slot = 0; slot < this.#used; slot++) {
      const at = HEADER_WORDS * slot;
      headers[at + NAME_LENGTH] = 4 * NAME_WORDS;
      headers[at + CONTROL_LENGTH] = 4 * CONTROL_WORDS;
    }
    const count = libc.recvmmsg(fd, headerBytes, Math.min(most, slots), c.MSG_DONTWAIT, null);
    this.#used = Math.max(0, count);
    return count;
  }

  /** The payload of datagram `slot`. */
  bytes(slot: number): Uint8Array {
    const at = slot * this.#slotSize;
    return this.#payload.subarray(at, at + this.#messages.headers[HEADER_WORDS * slot + RECEIVED]!);
  }

  /** Word `index` of the sender's `struct sockaddr`. */
  name(slot: number, index: number): number {
    return this.#messages.names[NAME_WORDS * slot + index]!;
  }

  /**
   * The address to which the datagram was sent: a copy of the `in_pktinfo` or `in6_pktinfo` ({@link INFO_WORDS} words).
   * Null: the socket does not request it.
   */
  info(slot: number): Int32Array | null {
    const { headers, control } = this.#messages;
    if (headers[HEADER_WORDS * slot + CONTROL_LENGTH]! < CMSG_HEADER + INFO_LENGTH_V4) return null;
    const at = CONTROL_WORDS * slot + CMSG_DATA_WORD;
    return control.slice(at, at + INFO_WORDS);
  }
}

/** Gathers datagrams for one sendmmsg(2). Payloads are copied, so the caller may reuse its memory at once. */
export class DatagramSender {
  readonly #messages: MessageArray;
  readonly #payload: Uint8Array;
  readonly #base: number;
  #count = 0;
  #filled = 0;

  constructor(slots: number, payload: number) {
    this.#messages = new MessageArray(slots);
    this.#payload = new Uint8Array(payload);
    this.#base = addressOf(this.#payload);
  }

  /** Whether a datagram of `length` bytes can be added before the next {@link flush}. */
  hasRoom(length: number): boolean {
    return this.#count < this.#messages.slots && this.#filled + length <= this.#payload.length;
  }

  /**
   * Adds a datagram, for which {@link hasRoom} must be true. `name`: words of a `struct sockaddr` of `nameLength` bytes, 0
   * for a connected socket. `info`: of the datagram that is answered, so that the answer leaves from the address to which
   * that one was sent.
   */
  add(bytes: Uint8Array, name: Int32Array, nameLength: number, info: Int32Array | null): void {
    const { headers, names } = this.#messages;
    const slot = this.#count++;
    this.#payload.set(bytes, this.#filled);
    this.#messages.setPayload(slot, this.#base + this.#filled, bytes.length);
    this.#filled += bytes.length;
    const at = HEADER_WORDS * slot;
    for (let i = 0; i < nameLength >> 2; i++) names[NAME_WORDS * slot + i] = name[i]!;
    headers[at + NAME_LENGTH] = nameLength;
    headers[at + CONTROL_LENGTH] = info === null ? 0 : this.#control(slot, info, nameLength > 16);
  }

  /** Sends all datagrams that were added. Those that the kernel does not accept are lost. */
  flush(fd: number): void {
    const count = this.#count;
    this.#count = this.#filled = 0;
    // The call ends at a datagram that the kernel refuses: the next call sends those behind it.
    for (let sent = 0; sent < count;) {
      const more = libc.sendmmsg(fd, this.#messages.headerBytes.subarray(64 * sent), count - sent, c.MSG_NOSIGNAL);
      sent += more > 0 ? more : 1;
    }
  }

  #control(slot: number, info: Int32Array, v6: boolean): number {
    const { control } = this.#messages;
    const at = CONTROL_WORDS * slot;
    const length = v6 ? INFO_LENGTH_V6 : INFO_LENGTH_V4;
    control[at] = CMSG_HEADER + length;
    control[at + 1] = 0;
    control[at + CMSG_LEVEL_WORD] = v6 ? c.SOL_IPV6 : c.SOL_IP;
    control[at + CMSG_TYPE_WORD] = v6 ? c.IPV6_PKTINFO : c.IP_PKTINFO;
    for (let i = 0; i < length >> 2; i++) control[at + CMSG_DATA_WORD + i] = info[i]!;
    // The route chooses the interface.
    control[at + CMSG_DATA_WORD + (v6 ? 4 : 0)] = 0;
    // `ipi_spec_dst` of a received datagram is the local address already (ip(7)).
    return v6 ? 40 : 32;
  }
}

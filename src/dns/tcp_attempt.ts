/** One question to one server over TCP, on a connection of its own. */
import type { SocketAddress } from "../net/address.ts";
import type { Millis, Timer } from "../net/clock.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED } from "../net/duplex.ts";
import type { Dial, DialEvents } from "../net/network.ts";
import type { Attempt, AttemptEvents, UpstreamParts } from "./attempt.ts";
import { framed, FrameReader } from "./frames.ts";
import { type Message, readResponse } from "./response_reader.ts";
import { putWord } from "./wire.ts";

const CONNECT_TIMEOUT: Millis = 5000;

/** An attempt by TCP, on a connection of its own; it begins with the constructor. */
export class TcpAttempt implements Attempt, DialEvents, DuplexSink {
  readonly #parts: UpstreamParts;
  readonly #message: Message;
  readonly #events: AttemptEvents;
  readonly #id: number;
  readonly #startedAt: Millis;
  readonly #dial: Dial;
  readonly #frames = new FrameReader();
  #unsent: Uint8Array;
  #duplex: Duplex | null = null;
  #timer: Timer | null = null;
  #isDone = false;

  constructor(parts: UpstreamParts, server: SocketAddress, message: Message, events: AttemptEvents) {
    this.#parts = parts;
    this.#message = message;
    this.#events = events;
    this.#id = parts.randomId();
    this.#startedAt = parts.network.now();
    this.#unsent = framed(message.bytes);
    putWord(this.#unsent, 2, this.#id);
    this.#dial = parts.network.dial(server, { ...parts.sockets, timeout: CONNECT_TIMEOUT }, this);
  }

  abort(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#timer?.cancel();
    this.#dial.abort();
    this.#duplex?.close();
    this.#frames.clear();
  }

  onConnect(duplex: Duplex): void {
    this.#duplex = duplex;
    duplex.start(this);
    this.#timer = this.#parts.network.after(this.#parts.timeout, () => this.#fail("TIMEOUT"));
    this.onWritable();
    if (!this.#isDone && duplex.readable) this.onReadable();
  }

  onDialFailure(ending: Ending): void {
    this.#fail(ending.code);
  }

  onFailure(ending: Ending): void {
    this.#fail(ending.code);
  }

  onWritable(): void {
    if (this.#unsent.length === 0) return;
    const taken = this.#duplex!.write(this.#unsent);
    if (taken === FAILED) return this.#fail(this.#duplex!.failure!.code);
    this.#unsent = this.#unsent.subarray(taken);
  }

  onReadable(): void {
    const duplex = this.#duplex!;
    while (!this.#isDone) {
      const count = this.#frames.readFrom(duplex);
      if (count === FAILED) return this.#fail(duplex.failure!.code);
      for (let frame = this.#frames.next(); frame !== null && !this.#isDone; frame = this.#frames.next()) {
        this.#answered(frame);
      }
      if (this.#isDone) return;
      if (duplex.ended) return this.#fail("NO_ANSWER");
      if (!duplex.readable) return;
    }
  }

  #answered(bytes: Uint8Array): void {
    const facts = readResponse(bytes, this.#message, this.#id);
    // The connection is for this question alone, so no other message can follow.
    if (facts === null) return this.#fail("NO_ANSWER");
    const own = bytes.slice();
    this.abort();
    this.#events.onAnswer({ bytes: own, facts }, this.#parts.network.now() - this.#startedAt);
  }

  #fail(code: string): void {
    if (this.#isDone) return;
    this.abort();
    this.#events.onAttemptFailure(code);
  }
}

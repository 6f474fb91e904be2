/**
 * One question to one server over UDP, sent up to three times. Each attempt has its own socket, so that a forger has to
 * guess port and id together; the socket is connected, so that only the server's datagrams arrive (RFC 5452 §4).
 */
import { ANY_V4, ANY_V6, isIpv4, type SocketAddress } from "../net/address.ts";
import type { Millis, Timer } from "../net/clock.ts";
import { type DatagramSink, type DatagramSocket, ListenError } from "../net/network.ts";
import type { Attempt, AttemptEvents, UpstreamParts } from "./attempt.ts";
import { type Message, readResponse } from "./response_reader.ts";
import { putWord } from "./wire.ts";

const TRANSMISSIONS = 3;
/** After so many datagrams that are not the response, an attack on this question is assumed. */
const MAX_MISMATCHES = 32;

/** An attempt by UDP; it begins with the constructor. */
export class UdpAttempt implements Attempt, DatagramSink {
  readonly #parts: UpstreamParts;
  readonly #server: SocketAddress;
  readonly #message: Message;
  readonly #events: AttemptEvents;
  readonly #interval: Millis;
  readonly #id: number;
  readonly #startedAt: Millis;
  readonly #socket: DatagramSocket | null;
  #timer: Timer | null = null;
  #sent = 0;
  #mismatches = 0;

  /** `interval`: time between transmissions. Events are called after the constructor. */
  constructor(
    parts: UpstreamParts,
    server: SocketAddress,
    message: Message,
    interval: Millis,
    events: AttemptEvents,
  ) {
    this.#parts = parts;
    this.#server = server;
    this.#message = message;
    this.#interval = interval;
    this.#events = events;
    this.#id = parts.randomId();
    this.#startedAt = parts.network.now();
    this.#socket = this.#open();
    if (this.#socket !== null) this.#transmit();
  }

  abort(): void {
    this.#timer?.cancel();
    this.#socket?.close();
  }

  onDatagram(bytes: Uint8Array): void {
    const facts = readResponse(bytes, this.#message, this.#id);
    if (facts === null) {
      if (++this.#mismatches >= MAX_MISMATCHES) this.#fail("TOO_MANY_MISMATCHES");
      return;
    }
    this.abort();
    this.#events.onAnswer({ bytes: bytes.slice(), facts }, this.#parts.network.now() - this.#startedAt);
  }

  onFailure(code: string): void {
    this.#fail(code);
  }

  #open(): DatagramSocket | null {
    const address = { ip: isIpv4(this.#server.ip) ? ANY_V4 : ANY_V6, port: 0 };
    try {
      return this.#parts.network.udp({ ...this.#parts.sockets, address, peer: this.#server }, this);
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      this.#timer = this.#parts.network.after(0, () => this.#fail(error.code));
      return null;
    }
  }

  #transmit(): void {
    const { network, timeout } = this.#parts;
    const { bytes } = this.#message;
    putWord(bytes, 0, this.#id);
    const sent = this.#socket!.send(bytes, this.#server);
    if (!sent) {
      this.#timer = network.after(0, () => this.#fail("NOT_SENT"));
      return;
    }
    this.#sent++;
    const left = this.#startedAt + timeout - network.now();
    this.#timer = this.#sent < TRANSMISSIONS && this.#interval < left
      ? network.after(this.#interval, () => this.#transmit())
      : network.after(left, () => this.#fail("TIMEOUT"));
  }

  #fail(code: string): void {
    this.abort();
    this.#events.onAttemptFailure(code);
  }
}

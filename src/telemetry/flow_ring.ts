/**
 * The last endings of an isolate, packed into arrays that are made once. Objects that outlive their connection by some
 * seconds are what V8's collector is worst at: kept as objects, 10,000 endings cost 6 % of the CPU of a new connection
 * and 15 MB.
 */
import type { Ip, SocketAddress } from "../net/address.ts";
import type { ConnectionEnding } from "./connection_ending.ts";
import type { FlowEventKind, FlowParts } from "./flow.ts";
import type { TrafficPeer } from "./traffic_peer.ts";

/** An ending. */
export interface PastEvent {
  readonly kind: FlowEventKind;
  /** ms since the epoch. */
  readonly time: number;
  readonly parts: FlowParts;
}

/**
 * Values that many endings share, such as names of workloads, one after the other for each ending. None is made for one
 * connection alone, as the ring would make it survive.
 */
const REFERENCES = 19;
const NUMBERS = 17;
/** Bytes for the texts of one ending; longer ones are kept as references. Their lengths are among the numbers. */
const TEXT = { id: 32, source: 48, destination: 48, target: 64 } as const;
const TEXTS = TEXT.id + TEXT.source + TEXT.destination + TEXT.target;

/** A ring of endings. */
export class FlowRing {
  readonly #capacity: number;
  /** Null until the first ending. */
  #references: unknown[] | null = null;
  readonly #numbers: Float64Array;
  readonly #texts: Uint8Array;
  #count = 0;
  #next = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#numbers = new Float64Array(capacity * NUMBERS);
    this.#texts = new Uint8Array(capacity * TEXTS);
  }

  /** Adds an ending in place of the oldest one where the ring is full. */
  push({ kind, time, parts }: PastEvent): void {
    const references = this.#references ??= new Array(this.#capacity * REFERENCES).fill(null);
    const { sides, tls, times, ending, target } = parts;
    let r = this.#next * REFERENCES, n = this.#next * NUMBERS;
    const numbers = this.#numbers;
    const isAddress = typeof target !== "string";
    numbers[n++] = time;
    numbers[n++] = parts.source.port;
    numbers[n++] = parts.destination.port;
    numbers[n++] = isAddress ? target.port : -1;
    numbers[n++] = parts.bytesSent;
    numbers[n++] = parts.bytesReceived;
    numbers[n++] = parts.age;
    numbers[n++] = parts.idle ?? -1;
    numbers[n++] = parts.carrier ?? -1;
    numbers[n++] = parts.attempt;
    numbers[n++] = times.resolved ?? -1;
    numbers[n++] = times.authorized ?? -1;
    numbers[n++] = times.connected ?? -1;
    numbers[n++] = times.handshaken ?? -1;
    numbers[n++] = times.answered ?? -1;
    numbers[n++] = times.clientByte ?? -1;
    numbers[n++] = times.serverByte ?? -1;
    const base = this.#next * TEXTS;
    references[r++] = kind;
    references[r++] = parts.isHbone ? parts.mutualTls ? SECURE : HBONE : parts.mutualTls ? MUTUAL : PLAIN;
    references[r++] = parts.direction;
    references[r++] = sides?.source ?? null;
    references[r++] = sides?.destination ?? null;
    references[r++] = sides?.service ?? null;
    references[r++] = parts.service;
    references[r++] = tls === null ? null : tls.version;
    references[r++] = tls === null ? null : tls.group;
    references[r++] = parts.dryRuns.length === 0 ? NO_DRY_RUNS : parts.dryRuns;
    references[r++] = ending?.by ?? null;
    references[r++] = ending?.how ?? null;
    references[r++] = ending?.phase ?? null;
    references[r++] = parts.error === null ? parts.flag : [parts.flag, parts.error];
    references[r++] = this.#write(base, TEXT.id, parts.id);
    references[r++] = this.#write(base + TEXT.id, TEXT.source, parts.source.ip);
    references[r++] = this.#write(base + TEXT.id + TEXT.source, TEXT.destination, parts.destination.ip);
    references[r++] = parts.decision;
    references[r] = this.#write(base + TEXTS - TEXT.target, TEXT.target, isAddress ? target.ip : target);
    this.#next = (this.#next + 1) % this.#capacity;
    if (this.#count < this.#capacity) this.#count++;
  }

  /** The endings, newest first. What is added meanwhile may be read in place of the oldest ones. */
  *newestFirst(): Generator<PastEvent, void, undefined> {
    const newest = this.#next + this.#capacity - 1;
    for (let i = 0; i < this.#count; i++) yield this.#read((newest - i) % this.#capacity);
  }

  #read(slot: number): PastEvent {
    const r = slot * REFERENCES, n = slot * NUMBERS, base = slot * TEXTS;
    const reference = <T>(at: number) => this.#references![r + at] as T;
    const number = (at: number) => this.#numbers[n + at]!;
    const optional = (at: number) => number(at) < 0 ? null : number(at);
    const text = (at: number, from: number) => reference<string | null>(at) ?? this.#text(base + from);
    const kinds = reference<string>(1);
    const peer = reference<TrafficPeer | null>(3);
    const by = reference<ConnectionEnding["by"] | null>(10);
    const outcome = reference<FlowParts["flag"] | [FlowParts["flag"], string]>(13);
    const [flag, error] = Array.isArray(outcome) ? outcome : [outcome, null];
    const version = reference<string | null>(7);
    const at = (ip: string, port: number): SocketAddress => ({ ip: ip as Ip, port });
    const target = text(18, TEXTS - TEXT.target);
    return {
      kind: reference(0),
      time: number(0),
      parts: {
        direction: reference(2),
        state: "ended",
        source: at(text(15, TEXT.id), number(1)),
        destination: at(text(16, TEXT.id + TEXT.source), number(2)),
        target: number(3) < 0 ? target : at(target, number(3)),
        sides: peer === null ? null : { source: peer, destination: reference(4), service: reference(5) },
        mutualTls: kinds === SECURE || kinds === MUTUAL,
        service: reference(6),
        isHbone: kinds === SECURE || kinds === HBONE,
        id: text(14, 0),
        traceparent: null,
        continuesTrace: false,
        tls: version === null ? null : { version, group: reference(8) },
        carrier: optional(8),
        attempt: number(9),
        decision: reference(17),
        dryRuns: reference(9),
        times: {
          resolved: optional(10),
          authorized: optional(11),
          connected: optional(12),
          handshaken: optional(13),
          answered: optional(14),
          clientByte: optional(15),
          serverByte: optional(16),
        },
        bytesSent: number(4),
        bytesReceived: number(5),
        age: number(6),
        idle: optional(7),
        ending: by === null ? null : { by, how: reference(11), phase: reference(12) },
        flag,
        error,
      },
    };
  }

  /** Writes a text that ends with a 0 where it is shorter than `most`. Returns the text where it does not fit, else null. */
  #write(from: number, most: number, text: string): string | null {
    const { length } = text;
    if (length >= most && length > TEXT.id || length > most) return text;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code === 0 || code > 127) return text;
      this.#texts[from + i] = code;
    }
    if (length < most) this.#texts[from + length] = 0;
    return null;
  }

  #text(from: number): string {
    let text = "";
    const most = from % TEXTS === 0 ? TEXT.id : TEXT.target;
    for (let i = from; i < from + most && this.#texts[i] !== 0; i++) text += String.fromCharCode(this.#texts[i]!);
    return text;
  }
}

/** One array for all: most connections have an empty one of their own. */
const NO_DRY_RUNS: FlowParts["dryRuns"] = [];
const PLAIN = "plain", MUTUAL = "mutual", HBONE = "hbone", SECURE = "hbone mutual";

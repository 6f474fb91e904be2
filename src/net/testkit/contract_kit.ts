/** What the contract's tests are made of: users of streams as the proxy has them, and pseudo random payload. */
import { strict as assert } from "node:assert";
import type { Ip, SocketAddress } from "../address.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED } from "../duplex.ts";
import type { Accepted, DialOptions, ListenAt, Network, TurnTask } from "../network.ts";

/** A network under test, and how to move it. */
export interface Rig {
  readonly network: Network;
  /** Lets the network work until the condition holds; rejects when it cannot come true any more, or takes too long. */
  run(until: () => boolean): Promise<void>;
  close(): Promise<void>;
  readonly loopback: Ip;
  /** An address that answers nothing, where the rig has one: makes dial timeouts testable. */
  readonly blackhole?: SocketAddress;
}

/** Registers one test of the contract. */
export type ContractTest = (what: string, body: (rig: Rig) => Promise<void>) => void;

export interface PumpOptions {
  /** Bytes asked of each read, cycled through; default 16,384. */
  readonly readSizes?: readonly number[];
  /** Bytes offered to each write; default all. */
  readonly writeSize?: number;
  /** Reads a turn before others may have their go; default 4. */
  readonly budget?: number;
  /** Sends FIN after the payload; default true. */
  readonly end?: boolean;
  /** Uses the `last` flag for the final write. */
  readonly last?: boolean;
}

/**
 * The least a user of a stream does: reads all within a budget per turn, writes a payload, minds back-pressure, and
 * closes as soon as both directions are over, since only then is the FIN sure to have left.
 */
export class Pump implements DuplexSink, TurnTask {
  readonly received: Uint8Array[] = [];
  receivedBytes = 0;
  sentBytes = 0;
  failure: Ending | null = null;
  #finSent = false;
  #reads = 0;

  constructor(
    readonly network: Network,
    readonly duplex: Duplex,
    readonly payload: Uint8Array,
    readonly options: PumpOptions = {},
  ) {
    duplex.start(this);
    if (duplex.readable) network.nextTurn(this);
    this.#write();
  }

  /** The peer's end was read and our payload has left. */
  get done(): boolean {
    return this.duplex.ended && this.sentBytes === this.payload.length;
  }

  get bytes(): Uint8Array {
    return concat(this.received);
  }

  onReadable(): void {
    this.#read();
  }

  onWritable(): void {
    this.#write();
  }

  onFailure(ending: Ending): void {
    this.failure = ending;
  }

  runTurn(): void {
    this.#read();
  }

  #read(): void {
    const sizes = this.options.readSizes ?? [16_384];
    for (let i = 0; i < (this.options.budget ?? 4); i++) {
      if (this.failure !== null || this.duplex.ended) return;
      const buffer = new Uint8Array(sizes[this.#reads++ % sizes.length]!);
      const count = this.duplex.read(buffer);
      if (count === FAILED) return this.#failed();
      if (count > 0) this.received.push(buffer.subarray(0, count));
      this.receivedBytes += count;
      if (this.duplex.ended) return this.#closeWhenOver();
      if (!this.duplex.readable) return;
    }
    this.network.nextTurn(this);
  }

  #write(): void {
    while (this.sentBytes < this.payload.length) {
      const end = Math.min(this.payload.length, this.sentBytes + (this.options.writeSize ?? this.payload.length));
      const last = this.options.last === true && end === this.payload.length;
      const taken = this.duplex.write(this.payload.subarray(this.sentBytes, end), last);
      if (taken === FAILED) return this.#failed();
      const whole = this.sentBytes + taken === end;
      this.sentBytes += taken;
      if (!whole) return;
    }
    if (this.options.end === false || this.#finSent) return;
    this.#finSent = true;
    this.duplex.end();
    this.#closeWhenOver();
  }

  #closeWhenOver(): void {
    if (this.#finSent && this.duplex.ended) this.duplex.close();
  }

  #failed(): void {
    assert.notEqual(this.duplex.failure, null, "FAILED came without a failure");
    this.failure = this.duplex.failure;
  }
}

/** Reads nothing and writes nothing by itself. */
export class Idle implements DuplexSink {
  readable = 0;
  writable = 0;
  failure: Ending | null = null;

  onReadable(): void {
    this.readable++;
  }

  onWritable(): void {
    this.writable++;
  }

  onFailure(ending: Ending): void {
    this.failure = ending;
  }
}

export interface Connected {
  readonly client: Duplex;
  readonly server: Duplex;
  readonly accepted: Accepted;
  readonly address: SocketAddress;
}

/** A connection over a listener that takes just this one. */
export async function connect(rig: Rig, ip: Ip = rig.loopback, options: Partial<ListenAt> = {}): Promise<Connected> {
  const accepted: Accepted[] = [];
  const at = { ...options, address: { ip, port: 0 } };
  const listener = rig.network.listen(at, (connection) => accepted.push(connection));
  const clients = await dial(rig, listener.local);
  await rig.run(() => accepted.length > 0);
  listener.close();
  const [connection] = accepted;
  assert.ok(connection !== undefined);
  return { client: clients, server: connection.duplex, accepted: connection, address: listener.local };
}

export async function dial(rig: Rig, to: SocketAddress, options: DialOptions = {}): Promise<Duplex> {
  const outcome = await tryDial(rig, to, options);
  assert.ok("duplex" in outcome, `dial failed: ${JSON.stringify(outcome)}`);
  return outcome.duplex;
}

export async function tryDial(
  rig: Rig,
  to: SocketAddress,
  options: DialOptions = {},
): Promise<{ duplex: Duplex } | { ending: Ending }> {
  const outcomes: ({ duplex: Duplex } | { ending: Ending })[] = [];
  rig.network.dial(to, options, {
    onConnect: (duplex) => outcomes.push({ duplex }),
    onDialFailure: (ending) => outcomes.push({ ending }),
  });
  assert.equal(outcomes.length, 0, "an event came from inside dial");
  await rig.run(() => outcomes.length > 0);
  const [outcome] = outcomes;
  assert.ok(outcome !== undefined);
  return outcome;
}

/** The same bytes for the same seed, without a period that a buffer size could hide. */
export function payloadOf(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** `deepEqual` of megabytes takes seconds and prints them. */
export function assertSameBytes(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.length, expected.length, "length");
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  assert.equal(at, -1, `bytes differ at ${at}`);
}

/** Parts of the contract's tests: users of streams that behave like the proxy, and pseudo random payload. */
import { strict as assert } from "node:assert";
import type { Ip, SocketAddress } from "../address.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED } from "../duplex.ts";
import type { Accepted, DialOptions, ListenAt, Network, TurnTask } from "../network.ts";

/** A network under test. */
export interface Rig {
  readonly network: Network;
  /** Runs the network until the condition holds. Rejects when it cannot hold any more, or after too long. */
  run(until: () => boolean): Promise<void>;
  /** Ends the network. */
  close(): Promise<void>;
  /** The loopback address of the tests. */
  readonly loopback: Ip;
  /** An address from which no answer comes, for tests of dial timeouts. */
  readonly blackhole?: SocketAddress;
}

/** Registers one test of the contract. */
export type ContractTest = (what: string, body: (rig: Rig) => Promise<void>) => void;

interface PumpOptions {
  /** Sizes of reads, used in turn; default 16,384. */
  readonly readSizes?: readonly number[];
  /** Bytes of each write; default all. */
  readonly writeSize?: number;
  /** Reads in one turn; default 4. */
  readonly budget?: number;
  /** Sends FIN after the payload; default true. */
  readonly end?: boolean;
  /** Sets the `last` flag of the last write. */
  readonly last?: boolean;
}

/**
 * A simple user of a stream: it reads everything, with a budget for each turn, and writes a payload as fast as the stream
 * takes it. It closes when both directions have ended, since only then its FIN has certainly been sent.
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

  /** The peer's end was read and all of the payload was written. */
  get done(): boolean {
    return this.duplex.ended && this.sentBytes === this.payload.length;
  }

  /** All that was read. */
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
      if (this.duplex.ended) return this.#closeWhenBothEnded();
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
    this.#closeWhenBothEnded();
  }

  #closeWhenBothEnded(): void {
    if (this.#finSent && this.duplex.ended) this.duplex.close();
  }

  #failed(): void {
    assert.notEqual(this.duplex.failure, null, "a call returned FAILED, but failure is not set");
    this.failure = this.duplex.failure;
  }
}

/** A user that only counts its notifications. */
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

interface Connected {
  readonly client: Duplex;
  readonly server: Duplex;
  readonly accepted: Accepted;
  readonly address: SocketAddress;
}

/** Connects two streams through a listener, which is closed afterwards. */
export async function connect(rig: Rig, ip: Ip = rig.loopback, options: Partial<ListenAt> = {}): Promise<Connected> {
  const accepted: Accepted[] = [];
  const at = { ...options, address: { ip, port: 0 } };
  const listener = rig.network.listen(at, (connection) => accepted.push(connection));
  const client = await dial(rig, listener.local);
  await rig.run(() => accepted.length > 0);
  listener.close();
  const [connection] = accepted;
  assert.ok(connection !== undefined);
  return { client, server: connection.duplex, accepted: connection, address: listener.local };
}

/** Dials an address. Rejects when the dial fails. */
export async function dial(rig: Rig, to: SocketAddress, options: DialOptions = {}): Promise<Duplex> {
  const outcome = await tryDial(rig, to, options);
  assert.ok("duplex" in outcome, `dial failed: ${JSON.stringify(outcome)}`);
  return outcome.duplex;
}

/** Dials an address. Returns the stream or how the dial has failed. */
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
  assert.equal(outcomes.length, 0, "an event came before dial returned");
  await rig.run(() => outcomes.length > 0);
  const [outcome] = outcomes;
  assert.ok(outcome !== undefined);
  return outcome;
}

/** Returns pseudo random bytes, the same for each seed. They have no period that could match the size of a buffer. */
export function payloadOf(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** As `assert.deepEqual`, which takes seconds for megabytes and prints them. */
export function assertSameBytes(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.length, expected.length, "length");
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  assert.equal(at, -1, `bytes differ at ${at}`);
}

/**
 * Which TLS handshake makes its next step. A step takes up to half a millisecond, so a few are made in each turn of the
 * loop ({@link Rounds}), and thousands of strangers can be waiting for theirs. An honest peer must not wait for all of
 * them:
 *
 *     role ──▶ own address, a pod ──▶ answered before newcomers ──▶ address of the peer ──▶ in the order of coming
 *
 * At every level the keys take turns. So handshakes that we begin have half of all turns, a crowd that calls one pod
 * does not delay another pod, and one that comes from few addresses does not delay other peers of the same pod.
 */
import type { Ip } from "./address.ts";
import type { Millis, Scheduler, TurnTask } from "./network.ts";
import { InOrder, type Rounds, type Waiting } from "./rounds.ts";

/** Of so many turns of a pod one is for newcomers, also when peers that were answered wait. */
const NEWCOMER_EVERY = 4;

/** What a handshake takes turns by. */
export interface HandshakeParties {
  /** Ours. */
  readonly role: "client" | "server";
  /** The address on our side: as a rule that of the pod. */
  readonly own: Ip;
  readonly peer: Ip;
}

/** The turns of one handshake, and the time that it spends waiting for them. */
export class HandshakeTurns implements TurnTask {
  readonly #scheduler: Scheduler;
  readonly #rounds: Rounds<HandshakeTurns>;
  readonly #step: () => void;
  readonly parties: HandshakeParties;
  /** It has made a step before, so it is the peer that has answered. */
  answered = false;
  /** Nothing is left to be done. */
  over = false;
  /** Since when it waits for its turn; null: it does not. */
  #queuedSince: Millis | null = null;
  /** Since when the peer has had to answer. */
  #peerSince: Millis;
  /** ms spent waiting for turns that {@link takeQueuedTime} has not told yet. */
  #queuedTime = 0;

  constructor(
    loop: Scheduler & { readonly handshakes: Rounds<HandshakeTurns> },
    parties: HandshakeParties,
    step: () => void,
  ) {
    this.#scheduler = loop;
    this.#rounds = loop.handshakes;
    this.parties = parties;
    this.#step = step;
    this.#peerSince = loop.now();
  }

  /** Since when the peer keeps us waiting; null: it waits for us. */
  get peerSince(): Millis | null {
    return this.#queuedSince === null ? this.#peerSince : null;
  }

  /** A step in a later turn. */
  add(): void {
    if (!this.over) this.#rounds.add(this);
  }

  /** A step at once where nobody else waits, else in its turn. */
  take(): void {
    if (!this.over) this.#rounds.take(this);
  }

  /** The ms since the last call in which the peer waited for us, and not the other way round. */
  takeQueuedTime(): Millis {
    const now = this.#scheduler.now();
    let time = this.#queuedTime;
    this.#queuedTime = 0;
    if (this.#queuedSince !== null) {
      time += now - this.#queuedSince;
      this.#queuedSince = now;
    }
    return time;
  }

  runTurn(): void {
    const now = this.#scheduler.now();
    if (this.#queuedSince !== null) this.#queuedTime += now - this.#queuedSince;
    this.#queuedSince = null;
    this.#peerSince = now;
    this.answered = true;
    this.#step();
  }

  /** For the queue. False: it waits already. */
  enterQueue(): boolean {
    if (this.#queuedSince !== null) return false;
    this.#queuedSince = this.#scheduler.now();
    return true;
  }
}

export class HandshakeQueue implements Waiting<HandshakeTurns> {
  readonly #queue = new ByKey(({ role }) => role, () => {
    return new ByKey(({ own }) => own, () => new AnsweredFirst());
  });

  get size(): number {
    return this.#queue.size;
  }

  add(turns: HandshakeTurns): void {
    if (turns.enterQueue()) this.#queue.add(turns);
  }

  shift(): HandshakeTurns | undefined {
    for (;;) {
      const turns = this.#queue.shift();
      if (turns === undefined || !turns.over) return turns;
    }
  }
}

/** A queue for each key, which take turns. */
class ByKey implements Waiting<HandshakeTurns> {
  readonly #keyOf: (parties: HandshakeParties) => string;
  readonly #make: () => Waiting<HandshakeTurns>;
  /** None is empty; the next one is first. */
  readonly #queues = new Map<string, Waiting<HandshakeTurns>>();
  size = 0;

  constructor(keyOf: (parties: HandshakeParties) => string, make: () => Waiting<HandshakeTurns>) {
    this.#keyOf = keyOf;
    this.#make = make;
  }

  add(turns: HandshakeTurns): void {
    const key = this.#keyOf(turns.parties);
    let queue = this.#queues.get(key);
    if (queue === undefined) this.#queues.set(key, queue = this.#make());
    queue.add(turns);
    this.size++;
  }

  shift(): HandshakeTurns | undefined {
    for (const [key, queue] of this.#queues) {
      const turns = queue.shift();
      this.#queues.delete(key);
      if (queue.size > 0) this.#queues.set(key, queue);
      this.size--;
      return turns;
    }
    return undefined;
  }
}

/**
 * A peer that has answered needs one step more and then holds nothing any more, so it goes first. Not always: to answer
 * something is cheap, and must not keep newcomers out.
 */
class AnsweredFirst implements Waiting<HandshakeTurns> {
  readonly #answered = new ByKey(({ peer }) => peer, () => new InOrder());
  readonly #newcomers = new ByKey(({ peer }) => peer, () => new InOrder());
  #turn = 0;

  get size(): number {
    return this.#answered.size + this.#newcomers.size;
  }

  add(turns: HandshakeTurns): void {
    (turns.answered ? this.#answered : this.#newcomers).add(turns);
  }

  shift(): HandshakeTurns | undefined {
    this.#turn = (this.#turn + 1) % NEWCOMER_EVERY;
    if (this.#turn === 0) return this.#newcomers.shift() ?? this.#answered.shift();
    return this.#answered.shift() ?? this.#newcomers.shift();
  }
}

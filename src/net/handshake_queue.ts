/**
 * Chooses the TLS handshake whose next step runs. A step takes up to half a millisecond, so a few run in each turn of the
 * loop ({@link Rounds}), and thousands of unknown peers can be waiting. An honest peer must not wait for all of them:
 *
 *     role ──▶ own address, a pod ──▶ answered before new ones ──▶ address of the peer ──▶ in order of arrival
 *
 * At each level the keys take turns. So handshakes of outgoing connections get half of all turns, many peers of one pod
 * do not delay another pod, and many connections from few addresses do not delay other peers of the same pod.
 */
import type { Millis } from "./clock.ts";
import type { Ip } from "./address.ts";
import type { Scheduler, TurnTask } from "./network.ts";
import { InOrder, Rounds, type Waiting } from "./rounds.ts";

/** One in this many turns of a pod is for new peers, even while peers that have answered wait. */
const NEWCOMER_EVERY = 4;

/** The keys by which a handshake takes turns. */
interface HandshakeParties {
  /** Our role. */
  readonly role: "client" | "server";
  /** Our address, usually that of the pod. */
  readonly own: Ip;
  /** The peer's address. */
  readonly peer: Ip;
}

/** What a handshake needs of its event loop. */
export interface HandshakeLoop extends Pick<Scheduler, "now"> {
  /** The turns that all handshakes of the loop share. */
  readonly handshakes: HandshakeRounds;
}

/** The turns of one handshake, and the time that it spends waiting for them. */
export class HandshakeTurns implements TurnTask {
  readonly #loop: HandshakeLoop;
  readonly #step: () => void;
  readonly parties: HandshakeParties;
  /** Answered: a step has run before, so the peer has answered. Over: no step is left to run. */
  #state: "new" | "answered" | "over" = "new";
  /** Since when the handshake has been waiting for its turn; null: it does not wait. */
  #queuedSince: Millis | null = null;
  /** Since when we have been waiting for the peer. */
  #peerSince: Millis;
  /** ms spent waiting for turns that {@link takeQueuedTime} has not returned yet. */
  #queuedTime = 0;

  /** `step`: continues the handshake as far as its input allows. */
  constructor(loop: HandshakeLoop, parties: HandshakeParties, step: () => void) {
    this.#loop = loop;
    this.parties = parties;
    this.#step = step;
    this.#peerSince = loop.now();
  }

  /** Since when we have been waiting for the peer; null: the peer waits for us. */
  get peerSince(): Millis | null {
    return this.#queuedSince === null ? this.#peerSince : null;
  }

  get hasAnswered(): boolean {
    return this.#state === "answered";
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /** No step runs any more. `outcome`: what is counted. False: the handshake was over already. */
  end(outcome: "completed" | "failed"): boolean {
    if (this.isOver) return false;
    this.#state = "over";
    this.#loop.handshakes[outcome]++;
    return true;
  }

  /** Runs a step in a later turn. */
  add(): void {
    if (!this.isOver) this.#loop.handshakes.add(this);
  }

  /** Runs a step at once where no other handshake waits, else in its turn. */
  take(): void {
    if (!this.isOver) this.#loop.handshakes.take(this);
  }

  /** The ms since the last call in which the peer waited for us. */
  takeQueuedTime(): Millis {
    const now = this.#loop.now();
    let time = this.#queuedTime;
    this.#queuedTime = 0;
    if (this.#queuedSince !== null) {
      time += now - this.#queuedSince;
      this.#queuedSince = now;
    }
    return time;
  }

  runTurn(): void {
    const now = this.#loop.now();
    if (this.#queuedSince !== null) this.#queuedTime += now - this.#queuedSince;
    this.#queuedSince = null;
    this.#peerSince = now;
    if (!this.isOver) this.#state = "answered";
    this.#step();
  }

  /** Called by the queue. False: the handshake waits already. */
  enterQueue(): boolean {
    if (this.#queuedSince !== null) return false;
    this.#queuedSince = this.#loop.now();
    return true;
  }
}

/** The turns of all handshakes of a loop, and how many have ended. */
export class HandshakeRounds extends Rounds<HandshakeTurns> {
  completed = 0;
  /** Also those that this side has given up. */
  failed = 0;

  /** `perTurn`: steps in one turn of the loop. */
  constructor(scheduler: Pick<Scheduler, "nextTurn" | "turn">, perTurn: number) {
    super(scheduler, perTurn, new HandshakeQueue());
  }
}

/** The handshakes that wait, for {@link Rounds}. */
class HandshakeQueue implements Waiting<HandshakeTurns> {
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
      if (turns === undefined || !turns.isOver) return turns;
    }
  }
}

/** A queue for each key; the queues take turns. */
class ByKey implements Waiting<HandshakeTurns> {
  readonly #keyOf: (parties: HandshakeParties) => string;
  readonly #make: () => Waiting<HandshakeTurns>;
  /** By key; none is empty, and the next one is first. */
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
 * A peer that has answered needs one more step and then occupies the queue no more, so it goes first. Not always, because
 * sending an answer is cheap for a peer and must not block new peers.
 */
class AnsweredFirst implements Waiting<HandshakeTurns> {
  readonly #answered = new ByKey(({ peer }) => peer, () => new InOrder());
  readonly #newcomers = new ByKey(({ peer }) => peer, () => new InOrder());
  #turn = 0;

  get size(): number {
    return this.#answered.size + this.#newcomers.size;
  }

  add(turns: HandshakeTurns): void {
    (turns.hasAnswered ? this.#answered : this.#newcomers).add(turns);
  }

  shift(): HandshakeTurns | undefined {
    this.#turn = (this.#turn + 1) % NEWCOMER_EVERY;
    if (this.#turn === 0) return this.#newcomers.shift() ?? this.#answered.shift();
    return this.#answered.shift() ?? this.#newcomers.shift();
  }
}

/**
 * The event loop: epoll, timers, turn tasks, and the network on top of them.
 *
 * One turn:
 *
 *     wait ─▶ events ─▶ due timers ─▶ tasks of this turn ─▶ tasks of the turn's end ─▶ close descriptors ─▶ yield?
 *
 * In a worker the wait blocks the thread, up to the next timer or one second. Then nothing else of the isolate runs:
 * messages and promises wait for a yield (`setImmediate`), which comes after a wake-up through the eventfd, after an
 * empty wait and every 64 turns (`docs/spec/dataplane-speed.md` 4). In an isolate with other work the wait happens on a
 * pool thread.
 */
import { setImmediate } from "node:timers";
import * as c from "../os/constants.ts";
import { Epoll } from "../os/epoll.ts";
import { errno } from "../os/libc.ts";
import { libc } from "../os/libc_sockets.ts";
import { SystemError } from "../os/errno.ts";
import { monotonic } from "../os/monotonic.ts";
import { SpareDescriptor } from "../os/spare_descriptor.ts";
import { wake } from "../os/wake.ts";
import type { SocketAddress } from "./address.ts";
import type { Millis, Timer } from "./clock.ts";
import type { Duplex } from "./duplex.ts";
import type * as net from "./network.ts";
import { HandshakeRounds } from "./handshake_queue.ts";
import { LateKeepalive } from "./late_keepalive.ts";
import { LoopLoad } from "./loop_load.ts";
import { RecordBuffers } from "./record_buffers.ts";
import { TcpResets } from "./tcp_reset.ts";
import type { FdHandler, LingeringSocket, LoopEvents, SocketLoop } from "./socket_loop.ts";
import { TcpDial } from "./tcp_dial.ts";
import { TcpListener } from "./tcp_listener.ts";
import { TimerQueue } from "./timers.ts";
import type { TlsContext } from "./tls_context.ts";
import { secureStream } from "./tls_secure.ts";
import { UdpSocket } from "./udp.ts";

/** ms. */
const LONGEST_WAIT = 1000;
/**
 * How many timers run in one turn, and for how many ms together. The others run in the next turns. The number considers
 * work that timers defer to the end of the turn: sending a PING takes 20 us.
 */
const TIMERS_PER_TURN = 64;
const TIMER_MS_PER_TURN = 1;
/** Descriptors that are closed in one turn: each takes 15 us, and an HBONE connection may end with hundreds of them. */
const CLOSES_PER_TURN = 16;
const TURNS_BETWEEN_YIELDS = 64;
/**
 * While the runtime's executor has tasks of its own, it handles what other threads have woken only every 31st task, and a
 * `setImmediate` is a task. So this many are needed to receive a message after a wake-up (`docs/spec/deno-notes.md` 4).
 */
const YIELDS_FOR_MESSAGES = 48;
/** After so many ms of handling messages the loop makes a turn, also where more messages wait: bytes wait for both. */
const MESSAGES_MS = 1;
/** So many times as many while a message is outstanding: other tasks from other threads may be before it. */
const ROUNDS_FOR_MESSAGE = 200;

/**
 * The event loop of one isolate, and the {@link net.Network} on it. Whoever makes one calls {@link Reactor.run}.
 */
export class Reactor implements net.Network, SocketLoop {
  readonly events: LoopEvents;
  readonly lingering = new Set<LingeringSocket>();
  readonly handshakes = new HandshakeRounds(this, 4);
  readonly spare = new SpareDescriptor();
  readonly #epoll = new Epoll();
  readonly #handlers: (FdHandler | undefined)[] = [];
  readonly #timers = new TimerQueue();
  readonly keepalive = new LateKeepalive(this);
  readonly records = new RecordBuffers();
  readonly layeredRecords = new RecordBuffers();
  readonly resets = new TcpResets(this);
  readonly #wakeFd: number;
  readonly #wakeBuffer = new Uint8Array(8);
  readonly #wakeCount = new BigUint64Array(this.#wakeBuffer.buffer);
  // New sets in each turn: a set that is filled and emptied for a long time keeps alive what was in it (number_map.ts).
  #next = new Set<net.TurnTask>();
  #turnEnd = new Set<net.TurnTask>();
  readonly #closing: number[] = [];
  #now = monotonic();
  /** When the time of the timers of this turn ends. */
  #timersUntil = 0;
  readonly #moreTimers = (ran: number): boolean => this.#mayRunTimer(ran);
  #stopped = false;
  #endsTurnSoon = false;
  #waitsOnPoolThread = false;
  /** A wake-up has come: messages are waiting. */
  #isWoken = false;
  /** Wake-ups without their message so far; below zero: messages without their wake-up so far. */
  #outstanding = 0;
  /** How often the loop has yielded in vain for an outstanding message. */
  #rounds = 0;
  readonly load = new LoopLoad();
  turn = 0;
  /** Events of sockets so far, without wake-ups. Work in the background uses it to detect other work. */
  arrivals = 0;

  constructor(events: LoopEvents) {
    this.events = events;
    this.#wakeFd = libc.eventfd(0, c.EFD_NONBLOCK | c.EFD_CLOEXEC);
    if (this.#wakeFd < 0) throw new SystemError("eventfd", errno());
    this.watch(this.#wakeFd, c.EPOLLIN, { onEvents: () => this.#onWake() });
  }

  /**
   * Another thread that has called `postMessage` then passes this descriptor to `wake`, once for each message: the loop
   * yields until that has arrived. A thread of its own reports each message by {@link messageReceived}.
   */
  get wakeDescriptor(): number {
    return this.#wakeFd;
  }

  /** A message of another thread is handled. */
  messageReceived(): void {
    this.#outstanding--;
    this.#rounds = 0;
  }

  now(): Millis {
    return this.#now;
  }

  after(delay: Millis, run: () => void): Timer {
    const timer = this.#timers.after(monotonic() + delay, run);
    this.#interruptWait();
    return timer;
  }

  atTurnEnd(task: net.TurnTask): void {
    this.#turnEnd.add(task);
    this.#interruptWait();
  }

  endTurnSoon(): void {
    this.#endsTurnSoon = true;
  }

  nextTurn(task: net.TurnTask): void {
    this.#next.add(task);
    this.#interruptWait();
  }

  listen(at: net.ListenAt, accept: (accepted: net.Accepted) => void): net.Listener {
    return new TcpListener(this, at, accept);
  }

  udp(at: net.UdpAt, sink: net.DatagramSink): net.DatagramSocket {
    return new UdpSocket(this, at, sink);
  }

  dial(to: SocketAddress, options: net.DialOptions, events: net.DialEvents): net.Dial {
    return new TcpDial(this, to, options, events);
  }

  secure(
    plain: Duplex,
    context: TlsContext,
    role: "client" | "server",
    timeout: Millis,
    events: net.SecureEvents,
  ): net.Handshake {
    return secureStream(this, plain, context, role, timeout, events);
  }

  watch(fd: number, flags: number, handler: FdHandler): void {
    this.#epoll.add(fd, flags);
    this.#handlers[fd] = handler;
  }

  rewatch(fd: number, handler: FdHandler): void {
    this.#handlers[fd] = handler;
  }

  suspend(fd: number): void {
    this.#epoll.remove(fd);
  }

  resume(fd: number, flags: number): void {
    this.#epoll.add(fd, flags);
  }

  release(fd: number): void {
    this.keepalive.delete(fd);
    this.#handlers[fd] = undefined;
    this.#closing.push(fd);
    this.#interruptWait();
  }

  /** Runs until {@link stop}. `own-thread`: waiting blocks the thread. `shared`: it waits on a pool thread. */
  async run(mode: "own-thread" | "shared"): Promise<void> {
    let turnsSinceYield = 0;
    let turnEnd = monotonic();
    let messagesLeft = false;
    while (!this.#stopped) {
      const nextTimer = this.#timers.nextAt();
      // A timer that was due in the last turn already is work that was left over.
      const isExpecting = mode === "own-thread" && this.#outstanding > 0;
      const busy = messagesLeft || isExpecting || this.#next.size > 0 || this.#turnEnd.size > 0 ||
        this.#closing.length > 0 ||
        (nextTimer !== null && nextTimer <= this.#now);
      const timeout = busy ? 0 : untilTimer(nextTimer, turnEnd);
      const count = mode === "shared" && timeout > 0
        ? await this.#waitOnPoolThread(timeout)
        : this.#epoll.wait(timeout);
      this.#runTurn(count);
      turnEnd = monotonic();
      this.load.turnEnded(turnEnd - this.#now);
      const idle = count === 0 && !busy;
      if (idle || messagesLeft || isExpecting || this.#isWoken || ++turnsSinceYield >= TURNS_BETWEEN_YIELDS) {
        const times = idle || messagesLeft || isExpecting || this.#isWoken ? YIELDS_FOR_MESSAGES : 1;
        this.#isWoken = false;
        turnsSinceYield = 0;
        messagesLeft = await yieldToMessages(times, mode === "own-thread" ? MESSAGES_MS : Infinity);
        const yieldedAt = turnEnd;
        turnEnd = monotonic();
        // In a worker only messages of main are handled meanwhile; in the main isolate, whatever else runs there.
        if (mode === "own-thread") this.load.messagesHandled(turnEnd - yieldedAt);
        // A message that does not come must not keep the thread busy.
        if (isExpecting && this.#outstanding > 0 && ++this.#rounds >= ROUNDS_FOR_MESSAGE) this.#outstanding = 0;
      }
    }
    for (const socket of this.lingering) socket.closeNow();
    this.#closeDescriptors(Infinity);
    this.spare.close();
    this.resets.close();
    libc.close(this.#wakeFd);
    this.#epoll.close();
  }

  /**
   * Ends {@link run} after this turn. Callers close their sockets before, and no other thread may write to
   * {@link wakeDescriptor} after it. Idempotent.
   */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    wake(this.#wakeFd);
  }

  #runTurn(count: number): void {
    this.turn++;
    this.arrivals += count;
    this.#now = monotonic();
    // Tasks that events add from here on are for the next turn.
    const tasks = this.#next;
    if (tasks.size > 0) this.#next = new Set();
    for (let i = 0; i < count; i++) {
      const handler = this.#handlers[this.#epoll.fd(i)];
      if (handler === undefined) continue;
      try {
        handler.onEvents(this.#epoll.flags(i));
      } catch (error) {
        this.events.onError(error);
      }
      if (this.#endsTurnSoon) this.#runTurnEnd();
    }
    this.#runTimers();
    if (tasks !== this.#next) {
      for (const task of tasks) {
        this.#runTask(task);
        if (this.#endsTurnSoon) this.#runTurnEnd();
      }
    }
    if (this.#turnEnd.size > 0) this.#runTurnEnd();
    this.#closeDescriptors(CLOSES_PER_TURN);
  }

  /** Tasks may add others to the same end of turn. A task that has run and adds itself again runs in the next turn. */
  #runTurnEnd(): void {
    this.#endsTurnSoon = false;
    const ran = this.#turnEnd;
    this.#turnEnd = new Set();
    for (const task of ran) this.#runTask(task);
    // The iteration of a Set includes what is added meanwhile.
    for (const task of this.#turnEnd) {
      if (ran.has(task)) continue;
      ran.add(task);
      this.#turnEnd.delete(task);
      this.#runTask(task);
    }
  }

  #runTask(task: net.TurnTask): void {
    try {
      task.runTurn();
    } catch (error) {
      this.events.onError(error);
    }
  }

  #runTimers(): void {
    try {
      this.#timers.runDue(this.#now, this.#moreTimers);
    } catch (error) {
      this.events.onError(error);
    }
  }

  /**
   * Called between two timers, so most turns, with one timer at most, do not read the clock for it. After `endTurnSoon` the
   * other timers wait for the next turn.
   */
  #mayRunTimer(ran: number): boolean {
    const now = monotonic();
    if (ran === 1) this.#timersUntil = now + TIMER_MS_PER_TURN;
    return ran < TIMERS_PER_TURN && now < this.#timersUntil && !this.#endsTurnSoon;
  }

  #closeDescriptors(most: number): void {
    if (this.#closing.length === 0) return;
    for (const fd of this.#closing.splice(0, most)) libc.close(fd);
  }

  async #waitOnPoolThread(timeout: number): Promise<number> {
    this.#waitsOnPoolThread = true;
    const count = await this.#epoll.waitAsync(timeout);
    this.#waitsOnPoolThread = false;
    return count;
  }

  /** Ends the wait of a pool thread: work was added outside of a turn. */
  #interruptWait(): void {
    if (!this.#waitsOnPoolThread) return;
    this.#waitsOnPoolThread = false;
    wake(this.#wakeFd);
  }

  #onWake(): void {
    this.arrivals--;
    libc.read(this.#wakeFd, this.#wakeBuffer, 8);
    this.#outstanding += Number(this.#wakeCount[0]);
    this.#isWoken = true;
  }
}

/** Returns early after `most` ms, and then whether messages may be left. */
async function yieldToMessages(times: number, most: Millis): Promise<boolean> {
  const end = monotonic() + most;
  for (let i = 1; i <= times; i++) {
    await new Promise<void>((resume) => setImmediate(resume));
    if (monotonic() >= end) return i < times;
  }
  return false;
}

/** How many ms to wait at `now` for a timer that is due at `next`. */
function untilTimer(next: Millis | null, now: Millis): number {
  return next === null ? LONGEST_WAIT : Math.min(LONGEST_WAIT, Math.max(0, Math.ceil(next - now)));
}

/**
 * The queue of log lines (`docs/spec/config-admin.md` 6.1). It never waits for the reader of the log: lines that the
 * output does not accept stay in a bounded queue and are written later; lines beyond the bound are dropped and counted
 * (`docs/spec/observed.md` O51).
 *
 * Several isolates write to the same descriptor. Each write holds whole lines and, unless one line is longer, at most
 * PIPE_BUF bytes: the kernel does not mix such writes to a pipe (pipe(7)). Longer lines are kept together by
 * {@link OutputTurn}.
 */
import { OutputTurn } from "./output_turn.ts";

/** An output whose writes never block. In production it is standard output. */
interface LogSink {
  /** Returns the number of bytes written; 0 when it would block. Throws when the output is closed. */
  write(bytes: Uint8Array<ArrayBuffer>): number;
}

/** Callbacks to the owner of a {@link LogWriter}. */
export interface LogWriterOwner {
  /** The first line after a flush was added: call {@link LogWriter.flush} at the end of the turn. */
  flushSoon(): void;
  /** The output is full: call {@link LogWriter.retry} after `delay` ms. */
  retryAfter(delay: number): void;
  /** The output accepts lines again; `count` were dropped in between and have to be reported. */
  onDropped(count: number): void;
}

const NO_OWNER: LogWriterOwner = { flushSoon() {}, retryAfter() {}, onDropped() {} };

const LINES_MAX = 10_000;
/** UTF-16 code units of all waiting lines: one byte of memory each for ASCII, two for other text. */
const CHARACTERS_MAX = 8 * 1024 * 1024;
/** Characters collected before they are written without a flush. */
const BATCH = 32 * 1024;
/** PIPE_BUF of Linux. */
const ATOMIC = 4096;
/** Size of the buffer in bytes; a long line enlarges it temporarily. */
const BUFFER = 2 * ATOMIC;
const BUFFER_MAX = 16 * ATOMIC;
/** ms between two attempts while no line is added. */
const RETRY = 10;
/** ms between two attempts while the caller waits. */
const DRAIN_PAUSE = 1;
/** Written lines are removed from the front of the queue in groups of this many. */
const REMOVED_TOGETHER = 1000;

/** Queues and writes the lines of one isolate. */
export class LogWriter {
  readonly #sink: LogSink;
  readonly #owner: LogWriterOwner;
  readonly #turn: OutputTurn;

  #lines: string[] = [];
  /** Index in `#lines` of the first line that is not yet in the buffer. */
  #head = 0;
  /** Characters of the lines from `#head` on. */
  #characters = 0;
  #buffer = new Uint8Array(BUFFER);
  /** Unwritten part of the buffer: its bytes, and the number of lines that they belong to. */
  #from = 0;
  #to = 0;
  #encoded = 0;
  readonly #encoder = new TextEncoder();
  readonly #pause = new Int32Array(new SharedArrayBuffer(4));
  /** Result of the last attempt. */
  #sinkState: "writable" | "full" | "broken" = "writable";
  #flushRequested = false;
  #retryRequested = false;
  /** Lines dropped since the last log line about it. */
  #unreported = 0;
  #dropped = 0;

  constructor(
    sink: LogSink,
    owner: LogWriterOwner = NO_OWNER,
    turn: OutputTurn = new OutputTurn(),
  ) {
    this.#sink = sink;
    this.#owner = owner;
    this.#turn = turn;
  }

  /** Adds a line, which ends with a line feed. */
  push(line: string): void {
    if (this.#mustDrop(line)) return this.#drop(1);
    if (this.#unreported > 0 && this.#sinkState === "full") this.#reportDropped();
    this.#lines.push(line);
    this.#characters += line.length;
    if (!this.#flushRequested) {
      this.#flushRequested = true;
      this.#owner.flushSoon();
    }
    if (this.#characters >= BATCH && this.#sinkState === "writable") this.flush();
  }

  /** Lines that are not written yet. */
  get waiting(): number {
    return this.#lines.length - this.#head + this.#encoded;
  }

  /** Lines dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Writes as much as the output accepts. To be called at the end of a turn, so that lines are not delayed. */
  flush(): void {
    this.#flushRequested = false;
    if (this.waiting === 0) return;
    if (!this.#turn.acquire()) return this.#retryLater();
    try {
      this.#sinkState = this.#write() ? "writable" : "full";
    } catch {
      // The failure cannot be logged. Like the native proxy, the process goes on without a log.
      this.#sinkState = "broken";
      this.#dropAll();
    }
    this.#turn.release(this.#from > 0);
    if (this.#sinkState === "full") this.#retryLater();
    else if (this.#sinkState === "writable" && this.#unreported > 0) this.#reportDropped();
  }

  /** Called when the time of `retryAfter` is over. */
  retry(): void {
    this.#retryRequested = false;
    this.flush();
  }

  /** Writes all lines, waiting at most `timeout` ms for a full output. For the end of the process. */
  drain(timeout: number): void {
    this.flush();
    for (let waited = 0; waited < timeout && this.waiting > 0; waited += DRAIN_PAUSE) {
      Atomics.wait(this.#pause, 0, 0, DRAIN_PAUSE);
      this.flush();
    }
  }

  /** True when everything was written. */
  #write(): boolean {
    do {
      while (this.#from < this.#to) {
        const taken = this.#sink.write(this.#buffer.subarray(this.#from, this.#to));
        if (taken <= 0) return false;
        this.#from += taken;
      }
    } while (this.#encodeNext());
    return true;
  }

  /** Fills the empty buffer with the next lines. False when there are none. */
  #encodeNext(): boolean {
    this.#from = this.#to = this.#encoded = 0;
    if (this.#buffer.length > BUFFER_MAX) this.#buffer = new Uint8Array(BUFFER);
    for (; this.#head < this.#lines.length; this.#head++, this.#encoded++) {
      const line = this.#lines[this.#head]!;
      if (this.#to === 0 && line.length * 3 > this.#buffer.length) this.#buffer = new Uint8Array(line.length * 3);
      const end = this.#to === 0 ? this.#buffer.length : ATOMIC;
      const { read, written } = this.#encoder.encodeInto(line, this.#buffer.subarray(this.#to, end));
      if (read < line.length) break;
      this.#characters -= line.length;
      this.#to += written;
      if (this.#to >= ATOMIC) {
        this.#head++;
        this.#encoded++;
        break;
      }
    }
    this.#removeEncoded();
    return this.#to > 0;
  }

  #removeEncoded(): void {
    if (this.#head === this.#lines.length) this.#lines = [];
    else if (this.#head >= REMOVED_TOGETHER) this.#lines.splice(0, this.#head);
    else return;
    this.#head = 0;
  }

  /**
   * After a dropped line all lines are dropped until half of the queue is free, so that there is one gap and not many.
   */
  #mustDrop(line: string): boolean {
    const lines = this.waiting;
    if (lines === 0) return false;
    const share = this.#unreported > 0 ? 0.5 : 1;
    return lines >= LINES_MAX * share || this.#characters + line.length > CHARACTERS_MAX * share;
  }

  #drop(count: number): void {
    this.#unreported += count;
    this.#dropped += count;
  }

  #reportDropped(): void {
    const count = this.#unreported;
    this.#unreported = 0;
    this.#owner.onDropped(count);
  }

  #dropAll(): void {
    this.#drop(this.waiting);
    this.#lines = [];
    this.#head =
      this.#characters =
      this.#from =
      this.#to =
      this.#encoded =
        0;
  }

  #retryLater(): void {
    if (this.#retryRequested) return;
    this.#retryRequested = true;
    this.#owner.retryAfter(RETRY);
  }
}

/**
 * The queue of log lines (`docs/spec/config-admin.md` 6.1). Nothing here waits for the reader of the log: lines that
 * the output does not take stay in a bounded queue and are written later; lines beyond the bound are dropped and
 * counted (`docs/spec/observed.md` O51).
 *
 * Several isolates write to the same descriptor. Each write holds whole lines and, unless one line is longer, at most
 * PIPE_BUF bytes: the kernel does not mix such writes to a pipe (pipe(7)). Longer lines are kept together by
 * {@link OutputTurn}.
 */
import { OutputTurn } from "./output_turn.ts";

/** Standard output in production. Its writes never block. */
export interface LogSink {
  /** Returns how many bytes were written; 0 when it would block. Throws when it cannot take any more. */
  write(bytes: Uint8Array<ArrayBuffer>): number;
}

/** Callbacks to the owner of a {@link LogWriter}. */
export interface LogWriterOwner {
  /** The first line after a flush was added: call {@link LogWriter.flush} at the end of the turn. */
  flushSoon(): void;
  /** The sink takes nothing now: call {@link LogWriter.retry} after `delay` ms. */
  retryAfter(delay: number): void;
  /** The sink takes lines again, and this many were dropped in between: log that. */
  onDropped(count: number): void;
}

const NOBODY: LogWriterOwner = { flushSoon() {}, retryAfter() {}, onDropped() {} };

const LINES_MAX = 10_000;
/** UTF-16 code units of all waiting lines: one byte of memory each for ASCII, two for other text. */
const CHARACTERS_MAX = 8 * 1024 * 1024;
/** Characters gathered before they are written without being asked. */
const BATCH = 32 * 1024;
/** PIPE_BUF of Linux. */
const ATOMIC = 4096;
/** Bytes being written; a long line enlarges it for a while. */
const BUFFER = 2 * ATOMIC;
const BUFFER_MAX = 16 * ATOMIC;
/** ms between two attempts while no line is added. */
const RETRY = 10;
/** ms between two attempts while the caller waits. */
const PAUSE = 1;
/** Written lines are removed from the front of the queue in groups of this many. */
const REMOVED_TOGETHER = 1000;

export class LogWriter {
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
  #sinkIs: "taking" | "full" | "broken" = "taking";
  #flushAsked = false;
  #retryAsked = false;
  /** Lines dropped since the last log line about it. */
  #untold = 0;
  #dropped = 0;

  constructor(
    private readonly sink: LogSink,
    private readonly owner: LogWriterOwner = NOBODY,
    private readonly turn: OutputTurn = new OutputTurn(),
  ) {}

  /** `line` ends with its line feed. */
  push(line: string): void {
    if (this.#mustDrop(line)) return this.#drop(1);
    if (this.#untold > 0 && this.#sinkIs === "full") this.#tellDropped();
    this.#lines.push(line);
    this.#characters += line.length;
    if (!this.#flushAsked) {
      this.#flushAsked = true;
      this.owner.flushSoon();
    }
    if (this.#characters >= BATCH && this.#sinkIs === "taking") this.flush();
  }

  /** Lines that the sink has not taken. */
  get waiting(): number {
    return this.#lines.length - this.#head + this.#encoded;
  }

  /** Lines dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Writes what the sink takes. To be called at the end of a turn: a line may not wait for the next one. */
  flush(): void {
    this.#flushAsked = false;
    if (this.waiting === 0) return;
    if (!this.turn.take()) return this.#retryLater();
    try {
      this.#sinkIs = this.#write() ? "taking" : "full";
    } catch {
      // Nobody is left to tell that the log cannot be written: as the native proxy, go on without it.
      this.#sinkIs = "broken";
      this.#forget();
    }
    this.turn.give(this.#from > 0);
    if (this.#sinkIs === "full") this.#retryLater();
    else if (this.#sinkIs === "taking" && this.#untold > 0) this.#tellDropped();
  }

  /** Called when the time of `retryAfter` is over. */
  retry(): void {
    this.#retryAsked = false;
    this.flush();
  }

  /** Writes everything, waiting at most `timeout` ms for a sink that takes nothing. For the end of the process. */
  drain(timeout: number): void {
    this.flush();
    for (let waited = 0; waited < timeout && this.waiting > 0; waited += PAUSE) {
      Atomics.wait(this.#pause, 0, 0, PAUSE);
      this.flush();
    }
  }

  /** True when everything was written. */
  #write(): boolean {
    do {
      while (this.#from < this.#to) {
        const taken = this.sink.write(this.#buffer.subarray(this.#from, this.#to));
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

  /** Once a line was dropped, all are until half of the queue is free: many small gaps would each need a line. */
  #mustDrop(line: string): boolean {
    const lines = this.waiting;
    if (lines === 0) return false;
    const share = this.#untold > 0 ? 0.5 : 1;
    return lines >= LINES_MAX * share || this.#characters + line.length > CHARACTERS_MAX * share;
  }

  #drop(count: number): void {
    this.#untold += count;
    this.#dropped += count;
  }

  #tellDropped(): void {
    const count = this.#untold;
    this.#untold = 0;
    this.owner.onDropped(count);
  }

  #forget(): void {
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
    if (this.#retryAsked) return;
    this.#retryAsked = true;
    this.owner.retryAfter(RETRY);
  }
}

/**
 * Where log lines wait and leave (`docs/spec/config-admin.md` 6.1). Nothing is dropped: when the queue is full, or
 * enough is gathered, the caller writes.
 *
 * Several isolates write to the same descriptor, so each write holds whole lines and, unless one line is longer, at
 * most PIPE_BUF bytes: the kernel does not mix such writes to a pipe (pipe(7)).
 */

/** Standard output in production. Returns how many bytes were taken; 0 when none can be taken now. */
export interface LogSink {
  write(bytes: Uint8Array): number;
}

const LINES_MAX = 10_000;
/** Characters gathered before they are written without being asked. */
const BATCH = 32 * 1024;
/** PIPE_BUF of Linux. */
const ATOMIC = 4096;
/** Bytes being encoded; a long line makes it larger for a while. */
const BUFFER = 2 * ATOMIC;
const BUFFER_MAX = 16 * ATOMIC;
/** Longest pause while the sink takes nothing, ms. */
const PAUSE = 1;

export class LogWriter {
  #lines: string[] = [];
  #characters = 0;
  /** The part of a line that the sink did not take; goes before everything else. */
  #rest: Uint8Array = new Uint8Array(0);
  #buffer = new Uint8Array(BUFFER);
  readonly #encoder = new TextEncoder();
  readonly #pause = new Int32Array(new SharedArrayBuffer(4));

  /** `wake` is called when the first line after a flush arrives: schedule a {@link flush}. */
  constructor(private readonly sink: LogSink, private readonly wake: () => void = () => {}) {}

  /** `line` ends with its line feed. */
  push(line: string) {
    this.#lines.push(line);
    this.#characters += line.length;
    if (this.#lines.length === 1) this.wake();
    if (this.#characters < BATCH) return;
    this.flush();
    while (this.#lines.length >= LINES_MAX) this.#waitAndFlush();
  }

  get waiting(): number {
    return this.#lines.length;
  }

  /** Writes what the sink takes. To be called at the end of a turn: a line may not wait for the next one. */
  flush() {
    if (this.#lines.length === 0 && this.#rest.length === 0) return;
    try {
      this.#write();
    } catch {
      // Nobody is left to tell that the log cannot be written: as the native proxy, go on without it.
      this.#forget();
    }
  }

  /** Writes everything, waiting at most `timeout` ms for a sink that takes nothing. For the end of the process. */
  drain(timeout: number) {
    this.flush();
    for (let waited = 0; waited < timeout && this.#lines.length > 0; waited += PAUSE) this.#waitAndFlush();
  }

  #write() {
    if (!this.#writeRest()) return;
    let used = 0;
    let done = 0;
    for (const [index, line] of this.#lines.entries()) {
      const size = this.#encode(line, used);
      if (used > 0 && used + size > ATOMIC) {
        if (!this.#send(used)) return this.#keepFrom(index);
        this.#buffer.copyWithin(0, used, used + size);
        used = 0;
      }
      used += size;
      done = index + 1;
      if (used >= ATOMIC) {
        if (!this.#send(used)) return this.#keepFrom(done);
        used = 0;
      }
    }
    if (used > 0) this.#send(used);
    this.#keepFrom(done);
  }

  /** Encodes behind `at`; the buffer grows for long lines. */
  #encode(line: string, at: number): number {
    const most = at + line.length * 3;
    if (most > this.#buffer.length) {
      const larger = new Uint8Array(most);
      larger.set(this.#buffer.subarray(0, at));
      this.#buffer = larger;
    }
    return this.#encoder.encodeInto(line, this.#buffer.subarray(at)).written;
  }

  /** False when the sink did not take all: the rest is kept. */
  #send(length: number): boolean {
    let sent = 0;
    while (sent < length) {
      const taken = this.sink.write(this.#buffer.subarray(sent, length));
      if (taken <= 0) {
        this.#rest = this.#buffer.slice(sent, length);
        return false;
      }
      sent += taken;
    }
    return true;
  }

  #writeRest(): boolean {
    while (this.#rest.length > 0) {
      const taken = this.sink.write(this.#rest);
      if (taken <= 0) return false;
      this.#rest = this.#rest.subarray(taken);
    }
    return true;
  }

  #keepFrom(index: number) {
    this.#lines = this.#lines.slice(index);
    this.#characters = this.#lines.reduce((sum, line) => sum + line.length, 0);
    if (this.#buffer.length > BUFFER_MAX) this.#buffer = new Uint8Array(BUFFER);
  }

  #forget() {
    this.#lines = [];
    this.#characters = 0;
    this.#rest = new Uint8Array(0);
  }

  #waitAndFlush() {
    Atomics.wait(this.#pause, 0, 0, PAUSE);
    this.flush();
  }
}

/** Standard output. A full non-blocking pipe takes nothing, which is no error. */
export const STANDARD_OUTPUT: LogSink = {
  write(bytes) {
    try {
      return Deno.stdout.writeSync(bytes);
    } catch (error) {
      if (error instanceof Deno.errors.WouldBlock) return 0;
      throw error;
    }
  },
};

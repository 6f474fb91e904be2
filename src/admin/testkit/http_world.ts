/** A connection of the server with a client and a clock in memory. */
import type { Clock } from "../../net/clock.ts";
import { type ByteStream, HttpConnection, type HttpHandler } from "../http_connection.ts";
import { plainText } from "../response.ts";

/** A client in memory: the test sends bytes, and all received bytes are collected. */
class Client implements ByteStream {
  #chunks: Uint8Array[] = [];
  #wake: (() => void) | null = null;
  #ended = false;
  readonly #decoder = new TextDecoder();
  closed = false;
  writeClosed = false;
  answer = "";

  send(text: string) {
    this.#chunks.push(new TextEncoder().encode(text));
    this.#wake?.();
  }
  end() {
    this.#ended = true;
    this.#wake?.();
  }
  async read(into: Uint8Array): Promise<number | null> {
    while (this.#chunks.length === 0) {
      if (this.closed) throw new Error("closed");
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const chunk = this.#chunks.shift() ?? new Uint8Array(0);
    const part = chunk.subarray(0, into.length);
    if (part.length < chunk.length) this.#chunks.unshift(chunk.subarray(part.length));
    into.set(part);
    return part.length;
  }
  write(bytes: Uint8Array): Promise<number> {
    const part = bytes.subarray(0, 10);
    this.answer += this.#decoder.decode(part, { stream: true });
    return Promise.resolve(part.length);
  }
  closeWrite() {
    this.writeClosed = true;
    return Promise.resolve();
  }
  close() {
    this.closed = true;
    this.#wake?.();
  }
}

/** A clock that the test advances. */
class VirtualTimers implements Pick<Clock, "after"> {
  readonly #pending = new Map<() => void, number>();
  #now = 0;
  after(delay: number, run: () => void) {
    this.#pending.set(run, this.#now + delay);
    return { cancel: () => void this.#pending.delete(run) };
  }
  pass(millis: number) {
    this.#now += millis;
    for (const [run, at] of this.#pending) {
      if (at <= this.#now && this.#pending.delete(run)) run();
    }
  }
}

/** A connection whose client has connected. */
export function world(handler: HttpHandler = ({ method, path }) => plainText(200, `${method} ${path}\n`)) {
  const client = new Client();
  const timers = new VirtualTimers();
  const connection = new HttpConnection(client, handler, timers);
  return { client, timers, connection, done: connection.serve() };
}

/** Runs all tasks that do not need further input. */
export async function settle() {
  for (let i = 0; i < 200; i++) await Promise.resolve();
}

/** The statuses of all responses so far. */
export const statuses = (client: Client): number[] =>
  [...client.answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => Number(match[1]));
/** A request without a body. */
export const REQUEST = "GET /a?b HTTP/1.1\r\nhost: x\r\n\r\n";

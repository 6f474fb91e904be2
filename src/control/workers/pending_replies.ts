/** Requests to a worker that it has not answered yet, by number. */
export class PendingReplies<Reply> {
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #next = 0;

  /** The number of a new request. */
  next(): number {
    return this.#next++;
  }

  /** Resolves with the next reply to this request. */
  wait(request: number): Promise<Reply> {
    const { promise, resolve } = Promise.withResolvers<Reply>();
    this.#waiting.set(request, resolve);
    return promise;
  }

  /** Takes a reply. A reply that nobody waits for is ignored. */
  settle(request: number, reply: Reply): void {
    const resolve = this.#waiting.get(request);
    this.#waiting.delete(request);
    resolve?.(reply);
  }

  /** Ignores further replies to this request; its promise stays pending. */
  abandon(request: number): void {
    this.#waiting.delete(request);
  }
}

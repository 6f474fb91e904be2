/** The callers that wait for the fetch of one certificate. All of them get the same object. */
import type { IssuedCertificate } from "./authority.ts";
import type { FetchOutcome } from "./certificate_state.ts";

interface Waiter {
  resolve(certificate: IssuedCertificate): void;
  reject(reason: unknown): void;
  /** Removes the abort listener. */
  release(): void;
}

/** A list of waiting callers, emptied by {@link CertificateWaiters.settle}, which its owner calls after every fetch. */
export class CertificateWaiters {
  readonly #waiting = new Set<Waiter>();

  get size(): number {
    return this.#waiting.size;
  }

  /** Adds a caller. The promise rejects with the reason of `signal` when that is aborted. */
  add(signal?: AbortSignal): Promise<IssuedCertificate> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<IssuedCertificate>();
    const abort = () => {
      this.#waiting.delete(waiter);
      reject(signal?.reason);
    };
    const waiter: Waiter = { resolve, reject, release: () => signal?.removeEventListener("abort", abort) };
    signal?.addEventListener("abort", abort, { once: true });
    this.#waiting.add(waiter);
    return promise;
  }

  /** Gives the outcome to all waiting callers. */
  settle(outcome: FetchOutcome): void {
    const settled = [...this.#waiting];
    this.#waiting.clear();
    for (const waiter of settled) {
      waiter.release();
      if (outcome.ok) waiter.resolve(outcome.certificate);
      else waiter.reject(outcome.error);
    }
  }
}

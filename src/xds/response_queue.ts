/**
 * The order in which the responses of one stream are applied. Policies do not depend on workloads, so they are applied
 * while earlier responses about workloads still are: a worker with traffic takes seconds for a large mesh. Workloads name
 * policies, so responses about workloads and services wait for everything before them. Responses about policies wait for
 * each other.
 *
 *     received:  addresses 1   addresses 2   policies 3   policies 4   addresses 5
 *     waits for:      -             1             -            3         1 2 3 4
 */
import { AUTHORIZATION_TYPE, type ResourceType } from "./resources.ts";

/** Responses that wait, in number and bytes: beyond that no further one is read, so there may be one more. */
const WAITING_MAX = 64;
const WAITING_BYTES = 8 * 1024 * 1024;

/** A response that was received. */
interface Received {
  readonly type: ResourceType;
  readonly bytes: number;
  /** `earlier`: see `ResourceBatch`. */
  readonly apply: (earlier: Promise<void> | null) => Promise<void>;
}

/** The responses of a stream that are not applied yet. */
export class ResponseQueue {
  readonly #onFailure: () => void;
  #waiting = 0;
  #waitingBytes = 0;
  #room: PromiseWithResolvers<void> | null = null;
  /** All responses so far; those about policies. */
  #all: Promise<unknown> = Promise.resolve();
  #policies: Promise<unknown> = Promise.resolve();
  #addresses = 0;
  #failure: { readonly error: unknown } | null = null;

  /** `onFailure`: called once, when a response could not be applied; none of those behind it is. */
  constructor(onFailure: () => void) {
    this.#onFailure = onFailure;
  }

  /** How many responses about workloads and services are not applied yet. */
  get addresses(): number {
    return this.#addresses;
  }

  /** Adds the next response. It begins at once where it need not wait. */
  add({ type, bytes, apply }: Received): void {
    const isPolicies = type === AUTHORIZATION_TYPE;
    const all = this.#all;
    const earlier = isPolicies && this.#addresses > 0 ? all.then(() => {}) : null;
    this.#waiting++;
    this.#waitingBytes += bytes;
    if (!isPolicies) this.#addresses++;
    const done = (isPolicies ? this.#policies : all).then(async () => {
      this.#begun(bytes);
      if (this.#failure === null) await apply(earlier).catch((error) => this.#fail(error));
      if (!isPolicies) this.#addresses--;
    });
    if (isPolicies) this.#policies = done;
    this.#all = Promise.all([all, done]);
  }

  /** Resolves when the next response may be read. */
  async room(): Promise<void> {
    while (this.#waiting >= WAITING_MAX || this.#waitingBytes >= WAITING_BYTES) {
      this.#room ??= Promise.withResolvers();
      await this.#room.promise;
    }
  }

  /** Resolves when all responses are applied. Rejects with what the first of them that failed has thrown. */
  async end(): Promise<void> {
    await this.#all;
    if (this.#failure !== null) throw this.#failure.error;
  }

  #begun(bytes: number): void {
    this.#waiting--;
    this.#waitingBytes -= bytes;
    this.#room?.resolve();
    this.#room = null;
  }

  #fail(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = { error };
    this.#onFailure();
  }
}

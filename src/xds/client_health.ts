/** The state of the connection to the control plane, for the dashboard and `/node` (`docs/dashboard.md`). */
import type { Millis } from "../net/clock.ts";
import type { Rejection } from "./resources.ts";

/** `waiting`: the last attempt has failed, and the next one is due later. */
type ConnectionState = "connecting" | "connected" | "waiting";

/** What is known about the control plane. Times are ms since the epoch; null: not yet. */
export interface XdsStatus {
  readonly address: string;
  readonly state: ConnectionState;
  /** Since when it is in this state. */
  readonly since: Millis;
  /** Streams that were opened or could not be opened. */
  readonly attempts: number;
  readonly lastResponse: Millis | null;
  readonly lastFailure: { readonly time: Millis; readonly text: string } | null;
  readonly types: readonly TypeCounts[];
  /** The last resources that were rejected, newest first. */
  readonly rejected: readonly RejectedResource[];
}

/** What has arrived of one type, over all streams. */
interface TypeCounts {
  readonly type: string;
  readonly responses: number;
  readonly bytes: number;
  readonly rejected: number;
}

interface RejectedResource extends Rejection {
  readonly time: Millis;
  readonly type: string;
}

/** Kept rejections, types, and characters of a text. */
const REJECTIONS_MAX = 50, TYPES_MAX = 16, TEXT_MAX = 512;

/** Records what the client reports. */
export class ClientHealth {
  readonly #address: string;
  readonly #now: () => Millis;
  readonly #types = new Map<string, { responses: number; bytes: number; rejected: number }>();
  #state: ConnectionState = "connecting";
  #since: Millis;
  #attempts = 0;
  #lastResponse: Millis | null = null;
  #lastFailure: XdsStatus["lastFailure"] = null;
  #rejected: RejectedResource[] = [];

  /** `now`: ms since the epoch. */
  constructor(address: string, now: () => Millis) {
    this.#address = address;
    this.#now = now;
    this.#since = now();
  }

  connecting(): void {
    this.#attempts++;
    this.#enter("connecting");
  }

  connected(): void {
    this.#enter("connected");
  }

  /** A stream has ended or could not be opened. */
  failed(text: string): void {
    this.#lastFailure = { time: this.#now(), text: text.slice(0, TEXT_MAX) };
    this.#enter("waiting");
  }

  responded(type: string, bytes: number): void {
    this.#lastResponse = this.#now();
    const counts = this.#countsOf(type);
    if (counts === null) return;
    counts.responses++;
    counts.bytes += bytes;
  }

  rejected(type: string, rejections: readonly Rejection[]): void {
    const counts = this.#countsOf(type), time = this.#now();
    if (counts !== null) counts.rejected += rejections.length;
    const newest = rejections.slice(-REJECTIONS_MAX).reverse().map(({ name, reason }) => {
      return { time, type, name: name.slice(0, TEXT_MAX), reason: reason.slice(0, TEXT_MAX) };
    });
    this.#rejected = [...newest, ...this.#rejected].slice(0, REJECTIONS_MAX);
  }

  get status(): XdsStatus {
    return {
      address: this.#address,
      state: this.#state,
      since: this.#since,
      attempts: this.#attempts,
      lastResponse: this.#lastResponse,
      lastFailure: this.#lastFailure,
      types: [...this.#types].map(([type, counts]) => ({ type, ...counts })),
      rejected: this.#rejected,
    };
  }

  #enter(state: ConnectionState): void {
    if (state !== this.#state) this.#since = this.#now();
    this.#state = state;
  }

  /** Null: there are too many types, which only a control plane of another kind sends. */
  #countsOf(type: string) {
    let counts = this.#types.get(type);
    if (counts === undefined && this.#types.size < TYPES_MAX) {
      this.#types.set(type, counts = { responses: 0, bytes: 0, rejected: 0 });
    }
    return counts ?? null;
  }
}

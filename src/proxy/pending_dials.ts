/**
 * Dials of applications in flight for one listener of a pod, and which of them are evicted when there are too many. A
 * dial to an address that does not answer is in flight for its whole time limit, and one caller must not block other
 * callers by such dials. So the oldest dials are evicted of the caller or the port that has most, whichever has more.
 */
import type { Call } from "../mesh/policy/authorize.ts";
import { NumberMap } from "../net/number_map.ts";

/** To find the largest group takes a millisecond, so several dials are evicted together. Each takes 50 us. */
const PORTION = 16;

/** A connection whose application is being dialled. */
export interface PendingDial {
  /** Its number in `Connections`, which is in order of arrival. */
  readonly registration: number;
  /** Set before the application is dialled. */
  readonly call: Call | null;
  /** Ends the dial and the connection. `why` is appended to `connection failed: `. */
  evict(why: string): void;
}

/** The dials in flight of one listener. */
export class PendingDials {
  readonly #dials = new NumberMap<PendingDial>();

  get size(): number {
    return this.#dials.size;
  }

  /** Adds a dial. `most`: how many may be in flight. May evict dials, also this one. */
  add(dial: PendingDial, most: number): void {
    this.#dials.set(dial.registration, dial);
    if (this.#dials.size > most) this.#makeRoom(most);
  }

  /** Removes a dial that has ended. Idempotent. */
  delete(dial: PendingDial): void {
    this.#dials.delete(dial.registration);
  }

  #makeRoom(most: number): void {
    const dials = this.#dials.values();
    const callers = largest(dials, callerOf), ports = largest(dials, portOf);
    // When one caller dials one port, the caller is named.
    const holder = callers.dials.length >= ports.dials.length ? `caller ${callers.key}` : `port ${ports.key}`;
    const { dials: held } = callers.dials.length >= ports.dials.length ? callers : ports;
    const why = `gave way to others, as ${most} connections wait for applications already, ` +
      `${held.length} of them for ${holder}`;
    for (const dial of held.slice(0, Math.min(PORTION, Math.ceil(held.length / 2)))) {
      this.#dials.delete(dial.registration);
      dial.evict(why);
    }
  }
}

/** The caller's identity, or its address where the connection is plain. */
function callerOf({ call }: PendingDial): string {
  return call!.identity ?? call!.source.ip;
}

function portOf({ call }: PendingDial): number {
  return call!.target.port;
}

function largest<K>(dials: readonly PendingDial[], keyOf: (dial: PendingDial) => K): { key: K; dials: PendingDial[] } {
  const groups = Map.groupBy(dials, keyOf);
  let [key, most] = groups.entries().next().value!;
  for (const [other, group] of groups) if (group.length > most.length) [key, most] = [other, group];
  return { key, dials: most };
}

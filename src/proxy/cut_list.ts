/** The log line that lists the connections that a drain is about to cut: how many, their services, ages, and the oldest. */
import { formatAddress } from "../net/address.ts";
import type { Millis } from "../net/clock.ts";
import type { Fields } from "../telemetry/log_fields.ts";
import type { ConnectionSummary } from "./connections.ts";

/** Services that are named, those with the most connections, and connections that are listed one by one. */
const LISTED = 10;
/** Services that are counted apart, which bounds the memory and the sorting at the end. */
const COUNTED = 200;
/** Characters of a service's name. Together with {@link LISTED} it keeps the line below 4 KiB. */
const NAME_MAX = 100;

const MINUTE: Millis = 60_000;
const AGES: readonly { readonly below: Millis; readonly name: string }[] = [
  { below: MINUTE, name: "under 1m" },
  { below: 10 * MINUTE, name: "1m to 10m" },
  { below: 60 * MINUTE, name: "10m to 1h" },
  { below: 24 * 60 * MINUTE, name: "1h to 1d" },
  { below: Infinity, name: "over 1d" },
];

/** Sums up connections that are added in the order of their arrival, at one point in time. */
export class CutList {
  readonly #now: Millis;
  readonly #services = new Map<string, number>();
  readonly #ages = AGES.map(() => 0);
  readonly #oldest: string[] = [];
  #count = 0;
  /** Connections of services that are not counted apart. */
  #uncounted = 0;

  /** `now`: by the clock of {@link ConnectionSummary.startedAt}. */
  constructor(now: Millis) {
    this.#now = now;
  }

  get count(): number {
    return this.#count;
  }

  add({ source, destination, service, startedAt }: ConnectionSummary): void {
    this.#count++;
    const name = service ?? "(no service)";
    const known = this.#services.get(name);
    if (known === undefined && this.#services.size >= COUNTED) this.#uncounted++;
    else this.#services.set(name, (known ?? 0) + 1);
    const age = Math.max(0, this.#now - startedAt);
    this.#ages[AGES.findIndex(({ below }) => age < below)]!++;
    if (this.#oldest.length >= LISTED) return;
    this.#oldest.push(`${formatAddress(source)}->${formatAddress(destination)} ${Math.floor(age / 1000)}s`);
  }

  /** The fields of the line; their size does not depend on the number of connections. */
  fields(): Fields {
    const services = [...this.#services].sort(([, a], [, b]) => b - a);
    const named = services.slice(0, LISTED).map(([name, count]) => `${name.slice(0, NAME_MAX)}: ${count}`);
    const others = services.slice(LISTED).reduce((sum, [, count]) => sum + count, this.#uncounted);
    if (others > 0) named.push(`other services: ${others}`);
    const ages = AGES.flatMap(({ name }, i) => this.#ages[i] === 0 ? [] : [`${name}: ${this.#ages[i]}`]);
    return {
      connections: this.#count,
      services: named.join(", "),
      ages: ages.join(", "),
      oldest: this.#oldest.join(", "),
    };
  }
}

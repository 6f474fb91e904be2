/** Filters of flows, the same for `/connections`, `/observe` and `ztunnel observe`. All conditions must hold. */
import { formatAddress, type SocketAddress } from "../net/address.ts";
import type { Millis } from "../net/clock.ts";
import type { Phase } from "./connection_ending.ts";
import { type Flow, type FlowParts, type FlowVerdict, verdictOf } from "./flow.ts";
import type { TrafficPeer } from "./traffic_peer.ts";

/** Conditions; absent: any. Those about a side hold where one of the two sides meets them. */
export interface FlowFilter {
  /** `name` or `namespace/name`. */
  readonly workload?: string;
  readonly namespace?: string;
  /** A hostname, or its first labels: `cart` and `cart.shop` for `cart.shop.svc.cluster.local`. */
  readonly service?: string;
  /** `ip` or `ip:port`, of a side or of what the client asked for. */
  readonly address?: string;
  readonly identity?: string;
  readonly direction?: Flow["direction"];
  readonly state?: Phase;
  readonly verdict?: FlowVerdict;
  readonly olderThan?: Millis;
  /** A policy in dry run would have decided something. */
  readonly dryRun?: true;
}

const TEXTS = ["workload", "namespace", "service", "address", "identity"] as const;
const DIRECTIONS: readonly string[] = ["inbound", "outbound"] satisfies Flow["direction"][];
const VERDICTS: readonly string[] = ["ok", "denied", "failed"] satisfies FlowVerdict[];
const STATES: readonly string[] = [
  "accepted",
  "resolving",
  "authorizing",
  "connecting",
  "handshaking",
  "requesting",
  "open",
  "half-closed",
  "ended",
] satisfies Phase[];
/** Characters of a value. */
const VALUE_MAX = 512;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** The names of the conditions, as parameters and options have them. */
export const FILTER_NAMES: readonly string[] = [...TEXTS, "direction", "state", "verdict", "older", "dryrun"];

/** Reads a filter from the parameters of a request; a text says what is wrong. Other parameters are ignored. */
export function parseFlowFilter(parameters: URLSearchParams): FlowFilter | string {
  const filter: Record<string, string | number | true> = {};
  for (const name of FILTER_NAMES) {
    const value = parameters.getAll(name).at(-1);
    if (value === undefined || value === "") continue;
    const read = value.length > VALUE_MAX ? null : readCondition(name, value);
    if (read === null) return `invalid value of ${name}: ${VALUES[name] ?? `at most ${VALUE_MAX} characters`}`;
    filter[FIELDS[name] ?? name] = read;
  }
  return filter as FlowFilter;
}

const FIELDS: Readonly<Record<string, string>> = { older: "olderThan", dryrun: "dryRun" };

const VALUES: Readonly<Record<string, string>> = {
  direction: DIRECTIONS.join(", "),
  state: STATES.join(", "),
  verdict: VERDICTS.join(", "),
  older: "a time such as 500ms, 30s, 5m or 2h",
  dryrun: "true",
};

function readCondition(name: string, value: string): string | number | true | null {
  switch (name) {
    case "direction":
      return DIRECTIONS.includes(value) ? value : null;
    case "state":
      return STATES.includes(value) ? value : null;
    case "verdict":
      return VERDICTS.includes(value) ? value : null;
    case "dryrun":
      return value === "true" ? true : null;
    case "older": {
      const [, number, unit] = /^([0-9]{1,9})(ms|s|m|h)$/.exec(value) ?? [];
      return number === undefined ? null : Number(number) * UNITS[unit!]!;
    }
    default:
      return value;
  }
}

/** Whether a flow meets all conditions. It is decided before anything is made of the parts: most flows meet few filters. */
export function matchesFilter(filter: FlowFilter, parts: FlowParts): boolean {
  const { workload, namespace, service, address, identity, direction, state, verdict, olderThan, dryRun } = filter;
  return (direction === undefined || parts.direction === direction) &&
    (state === undefined || parts.state === state) &&
    (verdict === undefined || verdictOf(parts) === verdict) &&
    (dryRun === undefined || parts.dryRuns.length > 0) &&
    (olderThan === undefined || parts.age >= olderThan) &&
    (namespace === undefined || someSide(parts, (side) => side.namespace === namespace)) &&
    (identity === undefined || parts.mutualTls && someSide(parts, (side) => side.identity === identity)) &&
    (workload === undefined || someSide(parts, (side) => isNamed(side, workload))) &&
    (service === undefined || parts.service === service || (parts.service?.startsWith(`${service}.`) ?? false)) &&
    (address === undefined || [parts.source, parts.destination, parts.target].some(isAt(address)));
}

function someSide({ sides }: FlowParts, meets: (side: TrafficPeer["log"]) => boolean): boolean {
  return sides !== null && (meets(sides.source.log) || meets(sides.destination.log));
}

function isNamed({ workload, namespace }: TrafficPeer["log"], name: string): boolean {
  return workload !== null && (workload === name || `${namespace}/${workload}` === name);
}

function isAt(wanted: string): (address: SocketAddress | string) => boolean {
  return (address) => {
    const text = typeof address === "string" ? address : formatAddress(address);
    return text === wanted || hostOf(text) === wanted;
  };
}

/** Without the port, and IPv6 without brackets. */
function hostOf(address: string): string {
  return address.replace(/:[0-9]+$/, "").replace(/^\[(.*)\]$/, "$1");
}

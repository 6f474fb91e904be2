/**
 * Ports for connections to a pod's applications that have the address of the application's client
 * (`docs/spec/observed.md` O59).
 *
 * The client's own connections are redirected to us in the same network namespace. A connection of the client and one of
 * ours that have the same addresses and ports are one connection for the kernel's connection tracking, and one of them
 * hangs or is reset. The kernel would choose our port from `ip_local_port_range`, from which the kernels of clients choose
 * too. Our ports therefore come from below it.
 */
import { SystemError } from "../os/errno.ts";
import { insideNamespace } from "../os/namespace.ts";
import { readSystemFile } from "../os/system_files.ts";

/** An interval of ports. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Ports below it are privileged: a server may trust clients that have one. */
const FIRST_PORT = 1024;
/** With fewer ports, searching a free one would take too many attempts. */
const FEWEST_PORTS = 1024;

/** Chooses ports of a range at random. */
export class SourcePorts {
  readonly #range: PortRange;
  /** In [0, 1). */
  readonly #random: () => number;

  constructor(range: PortRange, random: () => number) {
    this.#range = range;
    this.#random = random;
  }

  /** Returns a port of the range; it may be in use. */
  choose(): number {
    const { first, last } = this.#range;
    return first + Math.floor(this.#random() * (last - first + 1));
  }
}

/**
 * Returns the longest interval of unprivileged ports below `range` that has neither a port of `reserved` nor one of
 * `excluded`. `range` and `reserved`: the texts of `ip_local_port_range` and `ip_local_reserved_ports`. Null: fewer than
 * 1024 ports, or a text that cannot be parsed.
 */
export function portsBelow(range: string, reserved: string, excluded: Iterable<number>): PortRange | null {
  const lowest = Number(range.trim().split(/\s+/)[0]);
  if (!Number.isInteger(lowest)) return null;
  const gaps = [...parseRanges(reserved), ...[...excluded].map((port) => ({ first: port, last: port }))]
    .sort((a, b) => a.first - b.first);
  let longest: PortRange = { first: FIRST_PORT, last: FIRST_PORT - 1 };
  let first = FIRST_PORT;
  for (const gap of [...gaps, { first: lowest, last: lowest }]) {
    const last = Math.min(gap.first, lowest) - 1;
    if (last - first > longest.last - longest.first) longest = { first, last };
    first = Math.max(first, gap.last + 1);
  }
  return longest.last - longest.first + 1 < FEWEST_PORTS ? null : longest;
}

/**
 * Returns {@link portsBelow} for a network namespace. `namespace`: its descriptor; undefined: this thread's own. Null
 * also where the kernel's settings cannot be read.
 */
export function readPortsBelow(namespace: number | undefined, excluded: Iterable<number>): PortRange | null {
  const read = () => portsBelow(readSetting("ip_local_port_range"), readSetting("ip_local_reserved_ports"), excluded);
  try {
    return namespace === undefined ? read() : insideNamespace(namespace, read);
  } catch (error) {
    if (error instanceof SystemError) return null;
    throw error;
  }
}

/** The settings hold for IPv6 too. */
function readSetting(name: string): string {
  return readSystemFile(`/proc/sys/net/ipv4/${name}`);
}

/** Parses a list such as `8080,9000-9100`. */
function parseRanges(text: string): PortRange[] {
  return text.trim().split(",").filter((part) => part !== "").map((part) => {
    const [first, last = first] = part.split("-").map(Number);
    return { first: first!, last: last! };
  });
}

/** What a kind of proxy gets to start its two processes, and what it gives back. */
import type { LinkConditions } from "../testkit/link/slow_link.ts";
import type { Processes, Started } from "./processes.ts";
import type { Link, Side } from "./rig.ts";

/** Settings of a pair that differ from all others. Settings for ztunnels only are ignored by the other kinds. */
export interface Variant {
  /** What the link between the two sides does to packets; a veth pair does nothing to them. */
  readonly link?: Partial<LinkConditions>;
  /** Environment variables for both sides, for every kind alike. */
  readonly env?: Readonly<Record<string, string>>;
  /** Starts helpers that the pair needs, before the pair; returns further variables. */
  readonly prepare?: (place: Place) => Promise<Readonly<Record<string, string>>>;
  /** Prefix for the command of that side; it must end in an `exec`, so that the process id stays the same. */
  readonly before?: (side: Side) => readonly string[];
}

/** What a kind gets to start its two processes. `directory` is its own. */
export interface Place {
  readonly processes: Processes;
  readonly link: Link;
  readonly directory: string;
  readonly mesh: string;
  readonly variant: Variant;
}

/** The started pair. On loopback one process may be both sides. Direct: no process at all. */
export interface Pair {
  readonly client: Started | null;
  readonly server: Started | null;
  readonly tls: string;
}

/** A kind of proxy that is measured. */
export interface ProxyUnderTest {
  readonly id: string;
  readonly title: string;
  /** How a client without redirection gets in: a port per application port, SOCKS, or straight to the application. */
  readonly entry: "redirect-all" | "redirect-each" | "none";
  start(place: Place): Promise<Pair>;
}

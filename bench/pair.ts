/** A pair of proxies between a client and an application: what it is started with, and its processes. */
import type { Processes, Started } from "./processes.ts";
import type { Link, LinkVariant, Side } from "./rig.ts";

/** Settings of a pair that differ from the default. Settings for ztunnels are ignored by other kinds. */
export interface Variant extends LinkVariant {
  /** Environment variables for both sides, the same for all kinds. */
  readonly env?: Readonly<Record<string, string>>;
  /** Starts helpers that the pair needs, before the pair; returns further variables. */
  readonly prepare?: (setup: PairSetup) => Promise<Readonly<Record<string, string>>>;
  /** Prefix for the command of that side; it must end in an `exec`, so that the process id stays the same. */
  readonly before?: (side: Side) => readonly string[];
}

/** What is needed to start the two processes of a pair. `directory` belongs to the pair alone. */
export interface PairSetup {
  readonly processes: Processes;
  readonly link: Link;
  readonly directory: string;
  readonly mesh: string;
  readonly variant: Variant;
}

/** The processes of a pair. On loopback one process may be both sides. "direct" has none. */
export interface Pair {
  readonly client: Started | null;
  readonly server: Started | null;
  readonly tls: string;
}

/** How one proxy of a kind is started. */
export interface Ztunnel {
  /** The path of the program; null: the sources of this project. */
  readonly executable: string | null;
  readonly env: Readonly<Record<string, string>>;
}

/** A kind of proxy. */
export interface ProxyUnderTest {
  readonly id: string;
  readonly title: string;
  /**
   * How a client without redirection connects: by a port per application port, by SOCKS, or directly to the
   * application.
   */
  readonly entry: "redirect-all" | "redirect-each" | "none";
  /** For rows that start proxies of this kind by themselves. Null: it is no ztunnel, or stands for its pairs in shared mode only. */
  readonly ztunnel: Ztunnel | null;
  start(setup: PairSetup): Promise<Pair>;
}

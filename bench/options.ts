/** Command line of the benchmark. */
import { parseArgs } from "node:util";
import { ATTACK_CASES } from "./attackers.ts";
import { bestRig, type Link } from "./rig.ts";
import type { Plan, Row } from "./row.ts";
import type { Mode } from "./ztunnels.ts";

/** The options of a run. */
export interface Options {
  readonly plan: Plan;
  readonly rows: readonly Row[];
  /** Ids of the subjects to run; null: all that are available. */
  readonly only: readonly string[] | null;
  readonly json: boolean;
  readonly check: boolean;
  readonly quick: boolean;
  /** Modes in which ztunnels run. */
  readonly modes: readonly Mode[];
  readonly rig: Link["kind"];
  /** Folder of the JSON file and the chart. */
  readonly out: string;
}

/** The usage text. */
export const USAGE = `usage: deno task bench [--quick] [--rows=up1,req32] [--only=rust,ours] [--rounds=5] [--seconds=3]
                       [--attacks=ping,rapid-reset] [--json] [--check] [--shared] [--loopback]
                       [--out=bench/results]
  --quick    one short round of the most important rows, in about three minutes
  --rows     these rows only; longlink, narrow and lossy need /dev/net/tun
  --only     these subjects only: direct, nginx, rust, ours, ours-3.5, ours-aws-lc; with --shared also rust-shared,
             ours-shared, ours-3.5-shared, ours-aws-lc-shared
  --rounds   how often each row is repeated (5)
  --seconds  length of each load (3)
  --attacks  these attacks only, in the row attacks
  --json     print the JSON instead of the tables
  --check    exit 1 when a bar is missed
  --shared   each ztunnel once more, in shared mode: what a node proxy adds
  --loopback no namespaces, as where the user is not root
  --out      directory for the JSON file and the chart
The Rust ztunnel takes part when ZTUNNEL_PEER names its executable.`;

const QUICK: Plan = {
  rounds: 1,
  seconds: 1,
  bulkBytes: 400e6,
  restSeconds: 4,
  volumeBytes: 1e9,
  idleConnections: 500,
  stallSeconds: 2,
  small: true,
  attacks: null,
};

const FULL: Plan = {
  rounds: 5,
  seconds: 3,
  bulkBytes: null,
  restSeconds: 60,
  volumeBytes: 20e9,
  idleConnections: 5000,
  stallSeconds: 60,
  small: false,
  attacks: null,
};

/** Null: the user asked for help. Throws with a text for the user. */
export function parseOptions(args: readonly string[], known: readonly Row[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      rows: { type: "string" },
      only: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      attacks: { type: "string" },
      json: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
      loopback: { type: "boolean", default: false },
      shared: { type: "boolean", default: false },
      out: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return null;
  if (values.shared && values.loopback) throw new Error("Cannot use --shared with --loopback: pods are namespaces");
  const base = values.quick ? QUICK : FULL;
  return {
    plan: {
      ...base,
      rounds: positive("rounds", values.rounds) ?? base.rounds,
      seconds: positive("seconds", values.seconds) ?? base.seconds,
      attacks: values.attacks === undefined ? null : knownAttacks(values.attacks),
    },
    rows: values.rows === undefined ? known.filter((row) => row.quick || !values.quick) : chosen(values.rows, known),
    only: values.only?.split(",") ?? null,
    json: values.json,
    check: values.check,
    quick: values.quick,
    modes: values.shared ? ["dedicated", "shared"] : ["dedicated"],
    rig: values.loopback ? "loopback" : bestRig(),
    out: values.out ?? new URL("results", import.meta.url).pathname,
  };
}

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  // wrk and iperf3 take whole seconds only.
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`Cannot use --${name}=${text} as it must be a positive integer`);
  return Number(text);
}

function knownAttacks(list: string): string[] {
  const known = ATTACK_CASES.map(({ id }) => id);
  return list.split(",").map((id) => {
    if (!known.includes(id)) throw new Error(`Cannot use --attacks=${id} as it must be one of ${known.join(", ")}`);
    return id;
  });
}

function chosen(list: string, known: readonly Row[]): Row[] {
  return list.split(",").map((id) => {
    const row = known.find((candidate) => candidate.id === id);
    if (row === undefined) {
      throw new Error(`Cannot use --rows=${id} as it must be one of ${known.map((r) => r.id).join(", ")}`);
    }
    return row;
  });
}

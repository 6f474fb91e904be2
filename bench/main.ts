/** `deno task bench`: measures our proxy beside its peers and writes a report. bench/README.md says how to read it. */
import { judge } from "./bars.ts";
import { chart } from "./chart.ts";
import { executable } from "./executable.ts";
import { describeMachine, missingTools } from "./machine.ts";
import { type Options, parseOptions, USAGE } from "./options.ts";
import { available } from "./proxies.ts";
import type { ProxyUnderTest } from "./pair.ts";
import { textReport } from "./report.ts";
import { inDedicatedMode, type Results } from "./results.ts";
import type { Row } from "./row.ts";
import { ATTACK_ROWS } from "./rows_attacks.ts";
import { UNREAD_ROWS } from "./rows_unread.ts";
import { COST_ROWS } from "./rows_cost.ts";
import { DNS_ROWS } from "./rows_dns.ts";
import { FANOUT_ROWS } from "./rows_fanout.ts";
import { HANDSHAKE_ROWS } from "./rows_handshakes.ts";
import { IDENTITY_ROWS } from "./rows_identities.ts";
import { LABEL_ROWS } from "./rows_labels.ts";
import { LIMIT_ROWS } from "./rows_limits.ts";
import { LOG_ROWS } from "./rows_log.ts";
import { PEER_ROWS } from "./rows_peers.ts";
import { LONG_LINK_ROWS } from "./rows_longlink.ts";
import { MANY_ROWS } from "./rows_many.ts";
import { DOUBLE_ROWS } from "./rows_double.ts";
import { WORKER_ROWS } from "./rows_workers.ts";
import { START_ROWS } from "./rows_start.ts";
import { DASHBOARD_ROWS } from "./rows_dashboard.ts";
import { OBSERVE_ROWS } from "./rows_observe.ts";
import { OTLP_ROWS } from "./rows_otlp.ts";
import { LOSSY_ROWS } from "./rows_lossy.ts";
import { NEWCOMER_ROWS } from "./rows_newcomers.ts";
import { NARROW_ROWS } from "./rows_narrow.ts";
import { POD_ROWS } from "./rows_pods.ts";
import { STALL_ROWS } from "./rows_stall.ts";
import { TRAFFIC_ROWS } from "./rows_traffic.ts";
import { inOwnUserNamespace } from "./user_namespace.ts";
import { Runner } from "./runner.ts";
import { Session } from "./session.ts";

const ROWS: readonly Row[] = [
  ...TRAFFIC_ROWS,
  ...START_ROWS,
  ...DOUBLE_ROWS,
  ...WORKER_ROWS,
  ...PEER_ROWS,
  ...FANOUT_ROWS,
  ...LONG_LINK_ROWS,
  ...NARROW_ROWS,
  ...LOSSY_ROWS,
  ...LIMIT_ROWS,
  ...STALL_ROWS,
  ...LOG_ROWS,
  ...LABEL_ROWS,
  ...COST_ROWS,
  ...POD_ROWS,
  ...DNS_ROWS,
  ...HANDSHAKE_ROWS,
  ...NEWCOMER_ROWS,
  ...IDENTITY_ROWS,
  ...ATTACK_ROWS,
  ...UNREAD_ROWS,
  ...MANY_ROWS,
  ...OBSERVE_ROWS,
  ...OTLP_ROWS,
  ...DASHBOARD_ROWS,
];

/** What the user reads while the run goes on; standard output is for the report. */
function say(text: string): void {
  console.error(text);
}

function chooseKinds(options: Options, program: string | null): ProxyUnderTest[] {
  const { kinds, skipped } = available(options.modes, program);
  skipped.forEach((reason) => say(`without ${reason}`));
  const only = options.only;
  if (only !== null) return kinds.filter((kind) => only.includes(kind.id));
  // A quick look has no time for several libraries.
  const best = ["ours-aws-lc", "ours-3.5", "ours"].find((id) => kinds.some((kind) => kind.id === id));
  const isSlower = ({ id }: ProxyUnderTest) => id.startsWith("ours") && inDedicatedMode(id) !== best;
  return options.quick ? kinds.filter((kind) => !isSlower(kind)) : kinds;
}

async function measure(options: Options): Promise<Results> {
  const session = new Session(options.rig);
  const runner = new Runner(options.plan, options.rows, say);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      runner.stop();
      session.close().finally(() => Deno.exit(130));
    });
  }
  try {
    const kinds = chooseKinds(options, await executable(session.directory, say));
    // Without namespaces the proxies' fixed ports allow one pair at a time, so nothing can be interleaved.
    const groups = session.rig === "namespaces" ? [kinds] : kinds.map((kind) => [kind]);
    for (const group of groups) await runner.run(group, session);
    return {
      when: new Date().toISOString(),
      machine: await describeMachine(),
      rig: session.rig,
      plan: options.plan,
      ...runner.outcome(),
    };
  } finally {
    await session.close();
  }
}

async function write(results: Results, out: string): Promise<void> {
  await Deno.mkdir(out, { recursive: true });
  const stem = `${out}/${results.when.slice(0, 16).replace("T", "-").replace(":", "")}`;
  await Deno.writeTextFile(`${stem}.json`, JSON.stringify(results, null, 1) + "\n");
  await Deno.writeTextFile(`${stem}.svg`, chart(results));
  say(`wrote ${stem}.json and .svg`);
}

async function main(args: readonly string[]): Promise<number> {
  let options: Options | null;
  try {
    options = parseOptions(args, ROWS);
  } catch (error) {
    say(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    return 2;
  }
  if (options === null) {
    console.log(USAGE);
    return 0;
  }
  const missing = missingTools();
  if (missing.length > 0) {
    say(
      `Cannot measure without ${
        missing.join(", ")
      }: apt-get install wrk iperf3 nginx-full strace openssl iproute2 iptables`,
    );
    return 2;
  }
  const results = await measure(options);
  console.log(options.json ? JSON.stringify(results, null, 1) : textReport(results));
  await write(results, options.out);
  return options.check && judge(results).some((bar) => !bar.met) ? 1 : 0;
}

if (import.meta.main) Deno.exit(await inOwnUserNamespace(Deno.args) ?? await main(Deno.args));

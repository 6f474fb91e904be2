/** The product's performance targets, as limits on figures and on ratios to the Rust ztunnel in the same run. */
import { ATTACK_CASES } from "./attackers.ts";
import { SHARED_SUFFIX } from "./proxies.ts";
import { inDedicatedMode, medianOf, ratioOf, type Results, type RowResult } from "./results.ts";

interface Bar {
  readonly row: string;
  readonly metrics: readonly string[];
  /**
   * `ratio`: to the Rust ztunnel in the same mode. `shared`: to itself in dedicated mode. `figure`: the figure itself.
   */
  readonly of: "ratio" | "shared" | "figure";
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** The targets. */
const BARS: readonly Bar[] = [
  ...["up1", "down1", "up8", "down8"].map((row) => ({ row, metrics: ["cpu"], of: "ratio", atMost: 0.95 } as const)),
  { row: "req32", metrics: ["rate"], of: "ratio", atLeast: 1.3 },
  { row: "req32", metrics: ["cpu"], of: "ratio", atMost: 0.7 },
  { row: "req32", metrics: ["p50"], of: "ratio", atMost: 0.8 },
  { row: "req32", metrics: ["p99"], of: "ratio", atMost: 1.1 },
  { row: "req1", metrics: ["p50"], of: "ratio", atMost: 1.05 },
  { row: "req1", metrics: ["p99"], of: "ratio", atMost: 1.5 },
  { row: "conn", metrics: ["rate"], of: "ratio", atLeast: 1.2 },
  { row: "conn", metrics: ["cpu"], of: "ratio", atMost: 0.7 },
  { row: "beside", metrics: ["p50"], of: "ratio", atMost: 0.5 },
  { row: "peers", metrics: ["rate8", "rate32", "rate100"], of: "ratio", atLeast: 1.2 },
  { row: "peers", metrics: ["cpu8", "cpu32", "cpu100"], of: "ratio", atMost: 0.95 },
  { row: "peers", metrics: ["cpu1000"], of: "ratio", atMost: 1.2 },
  { row: "peers", metrics: ["rssClient1000", "rssServer1000"], of: "figure", atMost: 150 },
  { row: "fanout", metrics: ["cpu"], of: "ratio", atMost: 1.2 },
  { row: "fanout", metrics: ["p99", "neighbour"], of: "ratio", atMost: 1.5 },
  { row: "fanout", metrics: ["peakClient", "peakServer"], of: "figure", atMost: 150 },
  { row: "touch", metrics: ["cpu"], of: "ratio", atMost: 1 },
  { row: "touch", metrics: ["rssClient", "rssServer"], of: "figure", atMost: 150 },
  { row: "longlink", metrics: ["up50", "down50", "up200", "down200"], of: "ratio", atLeast: 0.95 },
  { row: "narrow", metrics: ["p90", "longest"], of: "ratio", atMost: 0.6 },
  { row: "lossy", metrics: ["up", "down"], of: "figure", atLeast: 4 },
  { row: "lossy", metrics: ["p99"], of: "ratio", atMost: 0.5 },
  { row: "limits", metrics: ["m128c2000Lives", "m128h2000Lives", "m192c10000Lives"], of: "figure", atLeast: 1 },
  { row: "limits", metrics: ["m128c2000Failed", "m128h2000Failed", "m192c10000Failed"], of: "figure", atMost: 0 },
  { row: "unread", metrics: ["rate"], of: "figure", atLeast: 0.9 },
  { row: "stall", metrics: ["idle", "drain", "keyUpdates", "records", "frames"], of: "figure", atMost: 21 },
  { row: "crowd", metrics: ["ratio"], of: "figure", atMost: 2 },
  // Pooled HBONE connections stay open for a while. RSS: 50 bytes for each of the connections.
  ...["descriptors", "sockets"].map((figure) =>
    ({ row: "passing", metrics: [`${figure}Client`, `${figure}Server`], of: "figure", atMost: 8 }) as const
  ),
  { row: "passing", metrics: ["seriesClient", "seriesServer"], of: "figure", atMost: 0 },
  { row: "passing", metrics: ["rssClient", "rssServer"], of: "figure", atMost: 10 },
  { row: "syscalls", metrics: ["requestClient", "requestServer"], of: "figure", atMost: 6.5 },
  { row: "syscalls", metrics: ["connectionBoth"], of: "figure", atMost: 21 },
  { row: "memory", metrics: ["idle"], of: "figure", atMost: 0.2 },
  { row: "held", metrics: ["client", "server"], of: "figure", atMost: 16 * 1024 },
  // One stream window (HTTP2_STREAM_WINDOW_SIZE, 4 MiB) and what an allocator rounds up to.
  { row: "stalled", metrics: ["held"], of: "figure", atMost: 5 },
  // The connection window: what all streams of a tunnel may hold together.
  { row: "stalled", metrics: ["later"], of: "figure", atMost: 16 },
  { row: "stalled", metrics: ["share"], of: "figure", atLeast: 80 },
  { row: "volume", metrics: ["whole"], of: "figure", atMost: 100 },
  { row: "pods", metrics: ["one"], of: "figure", atMost: 21 },
  { row: "pods", metrics: ["all"], of: "figure", atMost: 2000 },
  { row: "pods", metrics: ["memory"], of: "figure", atMost: 150 },
  // Descriptors that are not connections; a pod leaves none.
  { row: "pods", metrics: ["left"], of: "figure", atMost: 8 },
  { row: "attacks", metrics: ATTACK_CASES.map(({ id }) => id), of: "figure", atMost: 3 },
  { row: "attacks", metrics: ATTACK_CASES.flatMap(({ id }) => [`${id}Lost`, `${id}Failed`]), of: "figure", atMost: 0 },
  { row: "dns", metrics: ["rate"], of: "figure", atLeast: 40_000 },
  { row: "dns", metrics: ["rate"], of: "ratio", atLeast: 1 },
  { row: "dns", metrics: ["p99"], of: "figure", atMost: 5000 },
  { row: "handshakes", metrics: ["server", "client"], of: "figure", atLeast: 1500 },
  { row: "identities", metrics: ["issued"], of: "figure", atMost: 10_000 },
  // The default of SPIRE_CONCURRENCY.
  { row: "identities", metrics: ["most"], of: "figure", atMost: 8 },
  { row: "identities", metrics: ["turn"], of: "figure", atMost: 10 },
  { row: "volume", metrics: ["growth"], of: "figure", atMost: 5 },
  // No worse than in dedicated mode: smaller differences are noise (bench/README.md).
  ...["up1", "down1", "req1", "req32", "conn"].flatMap((row) =>
    [{ row, metrics: ["rate"], of: "shared", atLeast: 0.95 }, {
      row,
      metrics: ["cpu"],
      of: "shared",
      atMost: 1.05,
    }] as const
  ),
];

/** The result of one target. */
interface Judgement {
  readonly subject: string;
  readonly row: string;
  readonly metric: string;
  readonly of: Bar["of"];
  readonly wanted: string;
  readonly value: number;
  readonly met: boolean;
}

/** Our proxy with the TLS library that the product ships. */
const SHIPPED = "ours-aws-lc";

/** The results of all targets whose figures this run has, for what is shipped; without it, for our other variants. */
export function judge(results: Results): Judgement[] {
  const our = results.subjects.map((subject) => subject.id).filter((id) => id.startsWith("ours"));
  const shipped = our.filter((id) => inDedicatedMode(id) === SHIPPED);
  return (shipped.length > 0 ? shipped : our).flatMap((subject) =>
    BARS.flatMap((bar) => bar.metrics.flatMap((metric) => one(results, subject, bar, metric)))
  );
}

function one(results: Results, subject: string, bar: Bar, metric: string): Judgement[] {
  const row = results.rows.find((candidate) => candidate.id === bar.row);
  if (row === undefined) return [];
  const value = valueOf(row, subject, bar, metric);
  if (Number.isNaN(value)) return [];
  const met = value <= (bar.atMost ?? Infinity) && value >= (bar.atLeast ?? -Infinity);
  const wanted = bar.atMost === undefined ? `>= ${bar.atLeast}` : `<= ${bar.atMost}`;
  return [{ subject, row: bar.row, metric, of: bar.of, wanted, value, met }];
}

/** NaN: there are no figures. */
function valueOf(row: RowResult, subject: string, { of }: Bar, metric: string): number {
  const dedicated = inDedicatedMode(subject);
  if (of === "figure") return medianOf(row, subject, metric);
  if (of === "shared") return subject === dedicated ? NaN : ratioOf(row, subject, dedicated, metric);
  return ratioOf(row, subject, subject === dedicated ? "rust" : `rust${SHARED_SUFFIX}`, metric);
}

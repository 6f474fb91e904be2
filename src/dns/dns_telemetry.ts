/** Metrics and access log of the DNS proxy (`docs/spec/inpod-dns.md` B5.12). */
import type { Workload } from "../mesh/model/model.ts";
import type { Millis } from "../net/clock.ts";
import type { LogScope } from "../telemetry/log.ts";
import { LEVEL } from "../telemetry/log_level.ts";
import { type Cell, type HistogramCell, type Metrics, observe } from "../telemetry/metrics.ts";
import type { Protocol } from "./answer_writer.ts";
import { typeName } from "./wire.ts";

/** The metrics of one combination of record type, protocol and client. */
export class QueryCells {
  readonly #metrics: Metrics;
  readonly #labels: readonly (string | null)[];
  readonly #requests: Cell;
  #upstream: { readonly requests: Cell; readonly failures: () => Cell; readonly duration: HistogramCell } | null = null;

  constructor(metrics: Metrics, labels: readonly (string | null)[]) {
    this.#metrics = metrics;
    this.#labels = labels;
    this.#requests = metrics.cell("istio_dns_requests", ...labels);
  }

  /** Counts a query. */
  answered(): void {
    this.#requests.value++;
  }

  /** Counts a forwarded query. `failed`: an error, an unknown name, or no record of this type. */
  forwarded(duration: Millis, failed: boolean): void {
    const upstream = this.#upstream ??= {
      requests: this.#metrics.cell("istio_dns_upstream_requests", ...this.#labels),
      failures: () => this.#metrics.cell("istio_dns_upstream_failures", ...this.#labels),
      duration: this.#metrics.histogram("istio_dns_upstream_request_duration_seconds", ...this.#labels),
    };
    upstream.requests.value++;
    if (failed) upstream.failures().value++;
    observe(upstream.duration, duration / 1000);
  }
}

/** The content of an access log line. */
interface AccessLine {
  readonly client: Workload;
  /** Record type; null: the message could not be read. */
  readonly type: number | null;
  /** The name as in the question. */
  readonly domain: string;
  readonly result: string;
  /** Number of records in the answer. */
  readonly endpoints: number;
}

const TARGET = "dns";

/** Metrics and log lines of one pod. */
export class DnsTelemetry {
  readonly #metrics: Metrics;
  readonly #log: LogScope;
  /** Made for {@link #cellsOf}: another value of the workload may have other labels. */
  #cells = new Map<number, QueryCells>();
  #cellsOf: Workload | null = null;

  constructor(metrics: Metrics, log: LogScope) {
    this.#metrics = metrics;
    this.#log = log.as(TARGET);
  }

  /** `type` null: the message could not be read. `client` null: the pod's workload has not arrived. */
  cells(client: Workload | null, type: number | null, protocol: Protocol): QueryCells {
    if (client !== this.#cellsOf) {
      this.#cells = new Map();
      this.#cellsOf = client;
    }
    const name = type === null ? null : typeName(type);
    const key = 2 * (name === null ? 0 : type!) + (protocol === "udp" ? 0 : 1);
    let cells = this.#cells.get(key);
    if (cells === undefined) {
      const labels = [name?.toLowerCase() ?? null, protocol, client?.canonicalName ?? null];
      this.#cells.set(key, cells = new QueryCells(this.#metrics, [...labels, client?.canonicalRevision ?? null]));
    }
    return cells;
  }

  get logsAccess(): boolean {
    return this.#log.isEnabled(LEVEL.debug);
  }

  access({ client, type, domain, result, endpoints }: AccessLine): void {
    this.#log.log.event(LEVEL.debug, TARGET, null, {
      "src.workload": client.name,
      "src.namespace": client.namespace,
      query: type === null ? "unknown" : typeName(type) ?? `TYPE${type}`,
      domain,
      result,
      endpoints,
    });
  }
}

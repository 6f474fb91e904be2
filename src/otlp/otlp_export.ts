/**
 * Exports connections that have ended: as log records, and as spans of their traces (`docs/otlp.md`). It follows the flows
 * of all workers as `/observe` does, so a collector that stands still costs bounded queues here, and the data path nothing.
 */
import type { OtlpSettings, OtlpSignal, OtlpSignalSettings, SamplerSettings } from "../config/otlp_settings.ts";
import type { Clock, Millis } from "../net/clock.ts";
import type { FlowEvent } from "../telemetry/flow.ts";
import type { FlowFilter } from "../telemetry/flow_filter.ts";
import type { LogScope } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { type SampleTrace, traceSampler } from "../telemetry/trace_sampling.ts";
import { BatchSender, type Encoded, type Post } from "./batch_sender.ts";
import { ExportLines } from "./export_lines.ts";
import { ExportQueue } from "./export_queue.ts";
import { type EndedFlow, OtlpRecords } from "./records.ts";

/** Events of flows, as the admin port has them. */
interface FlowBatches {
  follow(
    filter: FlowFilter,
    onEvents: (events: { readonly events: readonly Uint8Array[]; readonly lost: number; taken(): void }) => void,
  ): () => void;
}

/** What the export needs. */
export interface OtlpParts {
  readonly settings: OtlpSettings;
  readonly version: string;
  readonly flows: FlowBatches;
  /** Goes forward only. */
  readonly clock: Clock;
  /** ms since 1970. */
  readonly wallClock: () => number;
  readonly metrics: Metrics;
  readonly log: LogScope;
  /** Makes the requests of one signal. */
  readonly post: (settings: OtlpSignalSettings) => Post;
  readonly random: () => number;
  readonly fillRandom: (bytes: Uint8Array<ArrayBuffer>) => void;
}

/** One signal. */
interface Export {
  readonly queue: ExportQueue<EndedFlow>;
  readonly sender: BatchSender;
  /** Records that workers have dropped before they came here. */
  readonly lost: { value: number };
}

const decoder = new TextDecoder();

/** What the last records may take at the end, in ms. */
const LAST_RECORDS: Millis = 2000;

/** The export of one process. */
export class OtlpExport {
  readonly #parts: OtlpParts;
  readonly #logs: Export | null;
  readonly #traces: Export | null;
  readonly #isSampled: SampleTrace;
  readonly #unfollow: () => void;

  constructor(parts: OtlpParts) {
    const { settings: { logs, traces, resource, sampler }, version, flows } = parts;
    this.#parts = parts;
    this.#isSampled = traceSampler(sampler.ratio);
    const records = new OtlpRecords(resource, version);
    this.#logs = logs && this.#export("logs", logs, (batch) => records.logs(batch));
    this.#traces = traces && this.#export("traces", traces, (batch) => records.spans(batch));
    this.#unfollow = flows.follow({ state: "ended" }, ({ events, lost, taken }) => {
      for (const each of [this.#logs, this.#traces]) if (each !== null) each.lost.value += lost;
      const text = events.map((piece) => decoder.decode(piece)).join("");
      for (const line of text.split("\n\n")) if (line !== "") this.#add(line.slice("data: ".length));
      taken();
    });
  }

  /** Sends what waits, within {@link LAST_RECORDS}, and ends. */
  async close(): Promise<void> {
    this.#unfollow();
    const all = [this.#logs, this.#traces].filter((each) => each !== null);
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = this.#parts.clock.after(LAST_RECORDS, resolve);
    await Promise.race([Promise.all(all.map(({ queue }) => queue.flush())), late]);
    timer.cancel();
    for (const { queue, sender } of all) {
      queue.close();
      sender.close();
    }
  }

  /** `line`: a {@link FlowEvent} as JSON. It is not read where there is no room. */
  #add(line: string): void {
    const logs = this.#logs?.queue, traces = this.#traces?.queue;
    if (logs?.isFull !== false && traces?.isFull !== false) {
      logs?.drop();
      traces?.drop();
      return;
    }
    const event: FlowEvent = JSON.parse(line);
    const flow = { event, spanId: event.span?.id ?? this.#newSpanId(), isSampled: this.#samples(event) };
    logs?.add(flow);
    if (flow.isSampled) traces?.add(flow);
  }

  #samples({ id, span }: FlowEvent): boolean {
    const { followsParent }: SamplerSettings = this.#parts.settings.sampler;
    return followsParent && span !== undefined && span.parent !== null ? span.sampled : this.#isSampled(id);
  }

  #newSpanId(): string {
    const bytes = new Uint8Array(8);
    this.#parts.fillRandom(bytes);
    return bytes.toHex();
  }

  #export(
    signal: OtlpSignal,
    settings: OtlpSignalSettings,
    encode: (batch: readonly EndedFlow[]) => Encoded,
  ): Export {
    const { metrics, clock, wallClock, log, random, post } = this.#parts;
    const dropped = (reason: string) => metrics.cell("ztunnel_otlp_dropped", signal, reason);
    const lost = dropped("worker_queue_full");
    const counts = {
      exported: metrics.cell("ztunnel_otlp_exported", signal),
      overflown: dropped("queue_full"),
      failed: dropped("failed"),
      rejected: dropped("rejected"),
    };
    const all = [lost, counts.overflown, counts.failed, counts.rejected];
    const lines = new ExportLines(log, signal, settings.url, () => all.reduce((sum, { value }) => sum + value, 0));
    const { timeout, batchTimeout, delay, queueMax, batchMax } = settings;
    const sender = new BatchSender({
      post: post(settings),
      clock,
      wallClock,
      timeout,
      batchTimeout,
      random,
      onProblem: (problem) => lines.failed(problem),
      onSuccess: () => lines.works(),
    });
    const send = (batch: readonly EndedFlow[]) => sender.send(encode(batch));
    return { queue: new ExportQueue({ clock, delay, queueMax, batchMax, send, counts }), sender, lost };
  }
}

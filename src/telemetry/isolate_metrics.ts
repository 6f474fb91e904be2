/** Metrics of one isolate, read at each scrape. They take the place of the native proxy's `tokio_*` families. */
import type { Millis } from "../net/clock.ts";
import type { LogWriter } from "./log_writer.ts";
import type { Metrics } from "./metrics.ts";

/** The event loop of a worker, and what it holds. */
interface WorkerLoad {
  readonly load: { readonly turns: number; readonly busy: Millis; takeLongest(): Millis };
  /** TLS handshakes that wait for their turn. */
  readonly handshakes: { readonly size: number };
  /** Received bytes that applications have not read yet. */
  readonly held: { readonly total: number };
}

/** Updates the metrics of memory and log of this isolate, whose name is the label `thread`. */
export function collectIsolateMetrics(metrics: Metrics, thread: string, writer: LogWriter): void {
  const { heapUsed, heapTotal } = Deno.memoryUsage();
  metrics.cell("ztunnel_heap_used_bytes", thread).value = heapUsed;
  metrics.cell("ztunnel_heap_size_bytes", thread).value = heapTotal;
  metrics.cell("ztunnel_log_queue_lines", thread).value = writer.waiting;
  metrics.cell("istio_log_lines_dropped").value = writer.dropped;
}

/** Updates the metrics of a worker's event loop. */
export function collectLoopMetrics(metrics: Metrics, thread: string, { load, handshakes, held }: WorkerLoad): void {
  metrics.cell("ztunnel_event_loop_turns", thread).value = load.turns;
  metrics.cell("ztunnel_event_loop_busy_seconds", thread).value = seconds(load.busy);
  metrics.cell("ztunnel_event_loop_longest_turn_seconds", thread).value = seconds(load.takeLongest());
  metrics.cell("ztunnel_handshake_queue_length", thread).value = handshakes.size;
  metrics.cell("ztunnel_held_bytes", thread).value = held.total;
}

/** Rounded to microseconds. */
function seconds(millis: Millis): number {
  return Math.round(millis * 1000) / 1e6;
}

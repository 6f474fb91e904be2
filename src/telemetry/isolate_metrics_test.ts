import { strict as assert } from "node:assert";
import { collectIsolateMetrics, collectLoopMetrics } from "./isolate_metrics.ts";
import { LogWriter } from "./log_writer.ts";
import { Metrics } from "./metrics.ts";

const valuesOf = (metrics: Metrics) =>
  Object.fromEntries([...metrics.cells()].map(({ family, labels, value }) => [`${family}{${labels}}`, value]));

Deno.test("isolate metrics: heap, log lines that wait, and dropped ones", () => {
  const metrics = new Metrics();
  const writer = new LogWriter({ write: () => 0 });
  writer.push("one\n");
  writer.flush();
  collectIsolateMetrics(metrics, "main", writer);
  const values = valuesOf(metrics);
  assert.ok(values['ztunnel_heap_used_bytes{thread="main"}']! > 1_000_000);
  assert.ok(values['ztunnel_heap_size_bytes{thread="main"}']! >= values['ztunnel_heap_used_bytes{thread="main"}']!);
  assert.equal(values['ztunnel_log_queue_lines{thread="main"}'], 1);
  assert.equal(values["istio_log_lines_dropped{}"], 0);
});

Deno.test("isolate metrics: the event loop of a worker in seconds, and its queues", () => {
  const metrics = new Metrics();
  const load = { turns: 7, busy: 1234.5678, takeLongest: () => 12.3456 };
  collectLoopMetrics(metrics, "data-plane-1", { load, handshakes: { size: 3 }, held: { total: 4096 } });
  assert.deepEqual(valuesOf(metrics), {
    'ztunnel_event_loop_turns{thread="data-plane-1"}': 7,
    'ztunnel_event_loop_busy_seconds{thread="data-plane-1"}': 1.234568,
    'ztunnel_event_loop_longest_turn_seconds{thread="data-plane-1"}': 0.012346,
    'ztunnel_handshake_queue_length{thread="data-plane-1"}': 3,
    'ztunnel_held_bytes{thread="data-plane-1"}': 4096,
  });
});

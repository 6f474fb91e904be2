import { strict as assert } from "node:assert";
import type { OtlpSettings } from "../config/otlp_settings.ts";
import { otlpSettings } from "../config/otlp_settings.ts";
import { Environment, type Variables } from "../config/environment.ts";
import { MemoryScheduler } from "../net/testkit/memory_scheduler.ts";
import { FlowJson } from "../telemetry/flow_json.ts";
import { FlowLog } from "../telemetry/flow_log.ts";
import type { FlowParts } from "../telemetry/flow.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { flowParts } from "../telemetry/testkit/flows.ts";
import { testLog } from "../telemetry/testkit/log.ts";
import type { CollectorAnswer } from "./batch_sender.ts";
import { OtlpExport } from "./otlp_export.ts";

const settle = () => new Promise((resolve) => setTimeout(resolve));
const TRACE = "0af7651916cd43dd8448eb211c80319c", SPAN = "b7ad6b7169203331";
const ENDED: Partial<FlowParts> = {
  state: "ended",
  traceparent: `00-${TRACE}-${SPAN}-01`,
  ending: { by: "client", how: "fin", phase: "open" },
};

/** A process that exports, with a worker's flow log and a scripted collector. */
class Bed {
  readonly clock = new MemoryScheduler();
  readonly metrics = new Metrics();
  readonly log = testLog();
  readonly flows = new FlowLog(10, () => 1_700_000_000_123);
  readonly requests: { readonly url: string; readonly body: string }[] = [];
  answer: () => Promise<CollectorAnswer> = () =>
    Promise.resolve({ status: 200, retryAfter: null, body: new Uint8Array() });
  taken = 0;
  /** Events that the worker reports as lost with the next batch. */
  lost = 0;
  readonly exported: OtlpExport;

  constructor(variables: Variables = {}) {
    const all = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://user:sesame@collector:4318", ...variables };
    const settings: OtlpSettings = otlpSettings(new Environment(all), "1.2.3")!;
    this.exported = new OtlpExport({
      settings,
      version: "1.2.3",
      clock: this.clock,
      wallClock: () => this.clock.now(),
      metrics: this.metrics,
      log: this.log.log.scope("ztunnel::otlp"),
      random: () => 0.5,
      fillRandom: (bytes) => void bytes.fill(7),
      flows: {
        follow: (filter, onEvents) =>
          this.flows.follow(filter, (event) => {
            onEvents({
              events: [new TextEncoder().encode(`data: ${new TextDecoder().decode(new FlowJson().event(event))}\n\n`)],
              lost: this.lost,
              taken: () => this.taken++,
            });
            this.lost = 0;
          }),
      },
      post: ({ url }) => (body) => {
        this.requests.push({ url: new URL(url).pathname, body: String.fromCharCode(...body) });
        return this.answer();
      },
    });
  }

  end(parts: Partial<FlowParts> = {}, kind: "ended" | "refused" = "ended"): void {
    this.flows.ended(kind, flowParts({ ...ENDED, ...parts }));
  }

  async pass(millis: number): Promise<void> {
    for (let left = millis; left > 0; left -= 500) {
      this.clock.advance(500);
      await settle();
    }
  }

  count(reason: string, signal = "logs"): number {
    return this.metrics.cell("ztunnel_otlp_dropped", signal, reason).value;
  }

  lines(): string[] {
    return this.log.lines().map((line) => line.split("\t").slice(3).join(" "));
  }
}

const hex = (digits: string) => String.fromCharCode(...Uint8Array.fromHex(digits));

Deno.test("otlp: a connection that has ended is one log record and one span of its trace", async () => {
  const bed = new Bed();
  bed.end({ decision: "abcdefghijkl.1" });
  await bed.pass(5000);
  const [logs, spans] = bed.requests;
  assert.deepEqual(bed.requests.map(({ url }) => url), ["/v1/logs", "/v1/traces"]);
  for (const { body } of [logs!, spans!]) {
    for (
      const text of [hex(TRACE), hex(SPAN), "abcdefghijkl.1", "10.1.0.5", "X25519MLKEM768", "ztunnel.ended.by", "1.2.3"]
    ) {
      assert.ok(body.includes(text), text);
    }
  }
  assert.ok(logs!.body.includes("connection complete"));
  assert.equal(bed.metrics.cell("ztunnel_otlp_exported", "traces").value, 1);
  assert.equal(bed.taken, 1);
});

Deno.test("otlp: a span continues the trace of the caller's proxy, and is not exported where that is not sampled", async () => {
  const bed = new Bed();
  bed.end({ direction: "inbound", continuesTrace: true });
  bed.end({ direction: "inbound", continuesTrace: true, traceparent: `00-${TRACE}-${SPAN}-00` });
  await bed.pass(5000);
  const spans = bed.requests.find(({ url }) => url === "/v1/traces")!;
  assert.equal(bed.metrics.cell("ztunnel_otlp_exported", "traces").value, 1);
  assert.ok(spans.body.includes(hex(SPAN)) && spans.body.includes(hex("07".repeat(8))), "parent, and an id of its own");
  assert.equal(bed.metrics.cell("ztunnel_otlp_exported", "logs").value, 2, "log records are not sampled");
});

Deno.test("otlp: openings are not exported, and cost nothing in the workers", () => {
  const bed = new Bed();
  assert.equal(bed.flows.isFollowed, false);
});

Deno.test("otlp: only the signals that are configured are exported", async () => {
  const bed = new Bed({ OTEL_TRACES_EXPORTER: "none" });
  bed.end();
  await bed.pass(6000);
  assert.deepEqual(bed.requests.map(({ url }) => url), ["/v1/logs"]);
});

Deno.test("otlp: a collector that is away costs bounded queues; one log line says so, one that it is back", async () => {
  const bed = new Bed({
    OTEL_TRACES_EXPORTER: "none",
    OTEL_BLRP_MAX_QUEUE_SIZE: "20",
    OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: "5",
  });
  const works = bed.answer;
  bed.answer = () => Promise.reject(new TypeError("error sending request for url (http://user:sesame@collector/)"));
  for (let i = 0; i < 100; i++) bed.end();
  await bed.pass(2000);
  assert.equal(bed.taken, 100, "workers never wait");
  // One batch is in flight.
  assert.equal(bed.count("queue_full"), 75);
  bed.answer = works;
  await bed.pass(60_000);
  assert.equal(bed.count("failed"), 0);
  const lines = bed.lines();
  assert.equal(lines.length, 2, lines.join("\n"));
  assert.match(
    lines[0]!,
    /^OTLP logs are not exported to http:\/\/collector:4318\/v1\/logs: .*\(OTEL_EXPORTER_OTLP_ENDPOINT\)/,
  );
  assert.match(lines[1]!, /^OTLP logs are exported to .* again, 0 were dropped meanwhile/);
  assert.ok(!bed.log.lines().join().includes("sesame"), "no line has the password");
});

Deno.test("otlp: a batch that is not taken is given up and counted, and so is what a worker has lost", async () => {
  const bed = new Bed({ OTEL_TRACES_EXPORTER: "none" });
  bed.answer = () => Promise.resolve({ status: 400, retryAfter: null, body: new TextEncoder().encode("bad\nrequest") });
  bed.lost = 3;
  for (let i = 0; i < 7; i++) bed.end();
  await bed.pass(2000);
  bed.end();
  await bed.pass(2000);
  assert.deepEqual([bed.count("failed"), bed.count("worker_queue_full")], [8, 3]);
  assert.equal(bed.lines().length, 1, "the state has not changed");
  assert.match(bed.lines()[0]!, /it answers with status 400: bad\\nrequest/);
});

Deno.test("otlp: a partial success is counted by what the collector did not take", async () => {
  const bed = new Bed({ OTEL_TRACES_EXPORTER: "none" });
  // partial_success { rejected_log_records: 2, error_message: "no" }
  bed.answer = () =>
    Promise.resolve({
      status: 200,
      retryAfter: null,
      body: new Uint8Array([0x0a, 6, 0x08, 2, 0x12, 2, 0x6e, 0x6f]),
    });
  for (let i = 0; i < 3; i++) bed.end();
  await bed.pass(2000);
  assert.deepEqual([bed.count("rejected"), bed.metrics.cell("ztunnel_otlp_exported", "logs").value], [2, 1]);
  assert.match(bed.lines()[0]!, /it rejects 2 records of a request: no/);
});

Deno.test("otlp: at the end what waits is sent, but a collector that hangs delays the end by 2 s at most", async () => {
  const bed = new Bed();
  bed.end();
  const closed = bed.exported.close();
  await closed;
  assert.equal(bed.requests.length, 2);
  const other = new Bed();
  other.answer = () => new Promise(() => {});
  other.end();
  let isClosed = false;
  void other.exported.close().then(() => isClosed = true);
  await other.pass(1500);
  assert.equal(isClosed, false);
  await other.pass(1000);
  assert.equal(isClosed, true);
});

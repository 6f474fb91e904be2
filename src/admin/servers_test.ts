import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import * as zlib from "node:zlib";
import type { ServerAddress } from "../config/config.ts";
import { type Ip, LOOPBACK_V4 } from "../net/address.ts";
import { SYSTEM_TURNS } from "../net/clock.ts";
import { ListenError } from "../net/network.ts";
import type { LogFilter } from "../telemetry/log_filter.ts";
import { startFilter } from "../telemetry/log_levels.ts";
import { Metrics, type MetricsSnapshot } from "../telemetry/metrics.ts";
import { openMetricsPieces } from "../telemetry/open_metrics.ts";
import type { TrafficParties } from "../telemetry/traffic_labels.ts";
import { TrafficMetrics } from "../telemetry/traffic_metrics.ts";
import { Readiness, type Trouble } from "../telemetry/readiness.ts";
import { collectProcessMetrics } from "../telemetry/process_metrics.ts";
import { testLog } from "../telemetry/testkit/log.ts";
import type { AnyResponse, HttpHandler } from "./http_connection.ts";
import { HttpServer } from "./http_server.ts";
import { type AccessLines, ALL_LINES } from "../config/access_lines.ts";
import { loggingRoute } from "./logging_route.ts";
import { readinessHandler } from "./readiness_server.ts";
import type { RequestHead } from "./request_head.ts";
import { isStreamed } from "./response.ts";
import { routed } from "./routes.ts";
import { shutdownRoute } from "./shutdown_route.ts";
import { metricsType, statsHandler } from "./stats_server.ts";

function request(path: string, method = "GET", headers: Record<string, string[]> = {}): RequestHead {
  const [name = "", query = ""] = path.split("?", 2);
  return {
    method,
    path: name,
    query,
    headers: new Map(Object.entries(headers)),
    minor: 1,
    keepAlive: true,
    bodyLength: 0,
    waitsWithBody: false,
  };
}

function textOf(response: AnyResponse): string {
  assert.ok(!isStreamed(response));
  const { body } = response;
  return typeof body === "string" ? body : new TextDecoder().decode(body);
}

/** The body, decoded if it is chunked. */
async function bytesOf(response: AnyResponse): Promise<Uint8Array> {
  if (!isStreamed(response)) {
    response.close?.();
    return Buffer.from(response.body);
  }
  const pieces: Uint8Array[] = [];
  for (let piece; (piece = await response.next()) !== null;) pieces.push(Buffer.from(piece));
  response.close();
  return Buffer.concat(pieces);
}

async function bodyOf(response: AnyResponse): Promise<string> {
  return new TextDecoder().decode(await bytesOf(response));
}

const header = (response: AnyResponse, name: string) => response.headers.find(([key]) => key === name)?.[1];

const ACCEPTED: readonly (readonly [string, string[], string])[] = [
  ["C38 none", [], "text/plain; charset=utf-8"],
  ["C38 JSON", ["application/json"], "text/plain; charset=utf-8"],
  [
    "C39",
    ["application/json", "application/openmetrics-text; other stuff"],
    "application/openmetrics-text;charset=utf-8;version=1.0.0",
  ],
  [
    "C40",
    [
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6," +
      "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4",
    ],
    "application/openmetrics-text;charset=utf-8;version=1.0.0",
  ],
  ["C41", ["text/html, application/openmetrics-text"], "text/plain; charset=utf-8"],
];
for (const [id, accept, type] of ACCEPTED) {
  Deno.test(`config ${id}: ${type}`, () => assert.equal(metricsType(accept), type));
}

function stats(): HttpHandler {
  const metrics = new Metrics();
  metrics.cell("istio_build", "ztunnel", "1.31.0").value = 1;
  collectProcessMetrics(metrics, (text) => assert.fail(text));
  const collect = () => {
    metrics.cell("process_open_fds").value = 7;
    return Promise.resolve(metrics.snapshot());
  };
  return statsHandler(collect, SYSTEM_TURNS);
}

const DECODERS = { gzip: zlib.gunzipSync, zstd: zlib.zstdDecompressSync, br: zlib.brotliDecompressSync } as const;
for (const [coding, decode] of Object.entries(DECODERS)) {
  Deno.test(`config C42, TE-15: ${coding}`, async () => {
    const handler = stats();
    const plain = await handler(request("/metrics"));
    const response = await handler(request("/stats/prometheus", "POST", { "accept-encoding": [coding] }));
    assert.equal(header(response, "content-encoding"), coding);
    assert.equal(header(response, "vary"), "accept-encoding");
    assert.equal(new TextDecoder().decode(decode(await bytesOf(response))), await bodyOf(plain));
    assert.equal(header(plain, "vary"), "accept-encoding");
    assert.equal(header(plain, "content-encoding"), undefined);
  });
}

Deno.test("config C43 metrics directly after the start", async () => {
  const text = await bodyOf(await stats()(request("/metrics")));
  assert.match(text, /^istio_build\{component="ztunnel",tag="1.31.0"\} 1$/m);
  assert.match(text, /^process_open_fds 7$/m);
  assert.match(text, /^process_max_fds [1-9][0-9]*$/m);
  assert.ok(text.endsWith("# EOF\n"));
});

/** A snapshot with many traffic series. */
function large(series: number): MetricsSnapshot {
  const traffic = new TrafficMetrics();
  for (let i = 0; i < series; i++) {
    const parties: TrafficParties = {
      reporter: "source",
      source: null,
      derivedSource: null,
      destination: null,
      derivedDestination: null,
      service: { hostname: `service-${i}.example`, namespace: "ns", name: `service-${i}` },
      mutualTls: true,
    };
    const one = traffic.series(parties, traffic.labels.sides(parties));
    one.opened = i;
    one.closed["-"] = i;
  }
  return new Metrics(traffic).snapshot();
}

Deno.test("metrics of 20,000 series are sent in pieces, and other tasks run in between", async () => {
  const snapshot = large(20_000);
  let now = 0, turns = 0;
  const clock = { now: () => now += 0.1, turn: () => Promise.resolve(void turns++) };
  const response = await statsHandler(() => Promise.resolve(snapshot), clock)(request("/metrics"));
  assert.ok(isStreamed(response));
  let text = "", most = 0;
  for (let piece; (piece = await response.next()) !== null;) {
    assert.ok(typeof piece === "string");
    most = Math.max(most, piece.length);
    text += piece;
  }
  assert.ok(most < 20_000, `${most} characters at once`);
  assert.ok(turns > 20, `${turns} turns`);
  assert.equal(text, [...openMetricsPieces(snapshot)].join(""));
  assert.equal(text.match(/^# TYPE istio_tcp_sent_bytes counter$/gm)?.length, 1);
});

Deno.test("a scrape that is read too slowly is aborted, and the next scrape gets a new snapshot", async () => {
  const snapshot = large(2000);
  let now = 0, made = 0;
  const collect = () => {
    made++;
    return Promise.resolve(snapshot);
  };
  const handler = statsHandler(collect, { now: () => now, turn: () => Promise.resolve() });
  const response = await handler(request("/metrics"));
  assert.ok(isStreamed(response));
  await response.next();
  now += 61_000;
  await assert.rejects(async () => {
    while (await response.next() !== null);
  }, /not read within 60 seconds/);
  response.close();
  await handler(request("/metrics"));
  assert.equal(made, 2);
});

Deno.test("config 5.1 other paths and codings", async () => {
  assert.deepEqual(await stats()(request("/stats")), { status: 404, headers: [], body: "" });
  const refused = await stats()(request("/metrics", "GET", { "accept-encoding": ["identity;q=0"] }));
  assert.equal(refused.status, 406);
});

Deno.test("config 5.3: a problem that blocks no task is shown in the answer, and may make it 503", async () => {
  let trouble: Trouble | null = null;
  const readiness = new Readiness(testLog().log.scope("ztunnel::readiness"), () => 1, () => trouble);
  const handler = readinessHandler(readiness);
  const answer = async () => {
    const response = await handler(request("/healthz/ready"));
    return [response.status, textOf(response)];
  };
  trouble = { text: "no certificate of 2 is available:\nforged", ready: true };
  assert.deepEqual(await answer(), [200, "ready, but no certificate of 2 is available:?forged\n"]);
  trouble = { text: "no certificate of 2 is available", ready: false };
  assert.deepEqual(await answer(), [503, "not ready: no certificate of 2 is available\n"]);
});

Deno.test("config C44, 5.3 readiness", async () => {
  const { log, lines } = testLog();
  const readiness = new Readiness(log.scope("ztunnel::readiness"), () => 1.234567, () => null);
  const handler = readinessHandler(readiness);
  readiness.register("state manager");
  readiness.register("proxy");
  const pending = await handler(request("/healthz/ready"));
  assert.deepEqual([pending.status, textOf(pending)], [500, "not ready, pending: proxy, state manager\n"]);
  readiness.complete("proxy");
  readiness.complete("proxy");
  readiness.complete("state manager");
  const ready = await handler(request("/healthz/ready"));
  assert.deepEqual([ready.status, textOf(ready), header(ready, "content-type")], [200, "ready\n", "text/plain"]);
  assert.deepEqual(lines().map((line) => line.split("\t").slice(1).join("|")), [
    "info|readiness|Task 'proxy' complete (1.234567ms), still awaiting 1 tasks|",
    "info|readiness|Task 'state manager' complete (1.234567ms), marking server ready|",
  ]);
  readiness.register("workload proxy manager");
  assert.equal((await handler(request("/healthz/ready"))).status, 500);
  assert.deepEqual(await handler(request("/healthz/ready", "HEAD")), { status: 405, headers: [], body: "" });
  assert.equal((await handler(request("/"))).status, 404);
});

function filter(text: string): LogFilter {
  const parsed = startFilter(text);
  assert.ok(typeof parsed !== "string");
  return parsed;
}

function logging(lines: AccessLines = ALL_LINES) {
  const start = { filter: filter("info"), lines };
  const control = {
    start,
    current: start.filter,
    lines,
    changes: 0,
    change(changed: LogFilter) {
      this.current = changed;
      this.changes++;
    },
    changeLines(changed: AccessLines) {
      this.lines = changed;
      this.changes++;
    },
  };
  return { control, handler: loggingRoute(control) };
}

Deno.test("config C24 to C28, 4.6 /logging", async () => {
  const { control, handler } = logging();
  const ask = async (query: string) => {
    const response = await handler(request(`/logging${query}`, "POST"));
    return `${response.status} ${textOf(response)}`;
  };
  assert.equal(await ask(""), "200 current log level is hickory_server::server=off,info\n");
  assert.equal(await ask("?level="), "200 current log level is hickory_server::server=off,info\n");
  assert.equal(control.changes, 0);
  assert.match(await ask("?level=invalid_level&reset"), /^400 Invalid level provided: invalid_level\n\nusage: POST/);
  assert.equal(await ask("?level=debug"), "200 current log level is hickory_server::server=off,debug\n");
  assert.equal(
    await ask("?level=access%3Ddebug,info&reset"),
    "200 current log level is hickory_server::server=off,access=debug,info\n",
  );
  assert.match(await ask("?reset&level=DEBUG"), /^400 /);
  assert.equal(control.current.toString(), "hickory_server::server=off,access=debug,info");
  assert.equal(await ask("?reset"), "200 current log level is hickory_server::server=off,info\n");
  assert.equal(await ask("?level=debug&level=warn"), "200 current log level is hickory_server::server=off,warn\n");
});

Deno.test("/logging changes which connections are logged", async () => {
  const { control, handler } = logging({ mode: "all", sample: 0.5, fields: "default" });
  const ask = async (query: string) => {
    const response = await handler(request(`/logging${query}`, "POST"));
    return `${response.status} ${textOf(response).split("\n").slice(1).join("|")}`;
  };
  assert.equal(await ask(""), "200 access log: failures and 50 % of successes|");
  assert.equal(await ask("?access=failures"), "200 access log: failures|");
  assert.equal(await ask("?access=&sample="), "200 access log: failures|");
  assert.equal(control.changes, 1);
  assert.equal(await ask("?access=all&sample=1"), "200 access log: all|");
  assert.equal(await ask(""), "200 ");
  assert.equal(await ask("?fields=extended"), "200 access log: all, with extended fields|");
  assert.equal(await ask("?fields="), "200 access log: all, with extended fields|");
  assert.equal(await ask("?reset&sample=10%25"), "200 access log: failures and 10 % of successes|");
  assert.equal(await ask("?reset&level=debug"), "200 access log: failures and 50 % of successes|");
  const before = { ...control };
  for (
    const wrong of [
      "?access=none",
      "?sample=2",
      "?sample=x",
      "?fields=more",
      "?level=debug&access=ALL",
      "?access=off&level=x",
    ]
  ) {
    assert.match(await ask(wrong), /^400 .*usage: POST/, wrong);
  }
  assert.deepEqual({ ...control }, before);
});

Deno.test("config C31 methods of /logging and /quitquitquit", async () => {
  const stops: boolean[] = [];
  const handler = routed({
    "/logging": logging().handler,
    "/quitquitquit": shutdownRoute((force) => void stops.push(force)),
  });
  const wrong = await handler(request("/logging"));
  assert.equal(wrong.status, 405);
  assert.match(textOf(wrong), /^Invalid HTTP method\n \nusage: /);
  assert.deepEqual(await handler(request("/quitquitquit")), { status: 405, headers: [], body: "" });
  assert.deepEqual(stops, []);
  const stopped = await handler(request("/quitquitquit", "POST"));
  assert.deepEqual([stopped.status, textOf(stopped), stops], [200, "shutdown now\n", [false]]);
  for (const query of ["?force", "?force=true", "?force=false"]) {
    await handler(request(`/quitquitquit${query}`, "POST"));
  }
  assert.deepEqual(stops, [false, true, true, false]);
});

const LOCALHOST: ServerAddress = { kind: "localhost", ipv6: false, port: 0 };

function bind(at: ServerAddress) {
  const { log, lines } = testLog();
  return { server: HttpServer.bind("admin", at, log.scope("ztunnel::hyper_util")), lines };
}

Deno.test("config 3 a server listens, answers and drains", async () => {
  const { server, lines } = bind(LOCALHOST);
  const [{ port }] = server.addresses;
  server.serve(({ path }) => ({ status: 200, headers: [], body: `path ${path}` }));
  const response = await fetch(`http://127.0.0.1:${port}/a`);
  assert.equal(await response.text(), "path /a");
  await server.drain(Promise.resolve());
  await assert.rejects(Deno.connect({ port }));
  assert.deepEqual(lines().map((line) => line.split("\t").slice(2).join("|")), [
    `hyper_util|listener established|address=127.0.0.1:${port} component="admin"`,
    `hyper_util|listener drained|address=127.0.0.1:${port} component="admin"`,
  ]);
});

Deno.test("config 3 clients with busy connections do not keep other clients out", async () => {
  const { server } = bind(LOCALHOST);
  const [{ port }] = server.addresses;
  const full = Promise.withResolvers<void>();
  let asked = 0;
  server.serve(() => {
    if (++asked === 512) full.resolve();
    return { status: 200, headers: [], body: "ready" };
  });
  // The server waits for a body on each of these connections.
  const owing = new TextEncoder().encode("GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n");
  const crowd: Deno.TcpConn[] = [];
  for (let i = 0; i < 512; i++) {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(owing);
    crowd.push(connection);
  }
  await full.promise;
  const response = await fetch(`http://127.0.0.1:${port}/`);
  assert.equal(await response.text(), "ready");
  for (const connection of crowd) connection.close();
  await server.drain(Promise.resolve());
});

Deno.test("config 3 a wildcard serves both families", async () => {
  const { server } = bind({ kind: "address", address: { ip: "::" as Ip, port: 0 } });
  server.serve(() => ({ status: 200, headers: [], body: "hi" }));
  const response = await fetch(`http://127.0.0.1:${server.addresses[0].port}/`);
  assert.equal(await response.text(), "hi");
  await server.drain(Promise.resolve());
});

Deno.test("config C45 a port in use", async () => {
  const { server } = bind(LOCALHOST);
  const address = { ip: LOOPBACK_V4, port: server.addresses[0].port };
  assert.throws(
    () => bind({ kind: "address", address }),
    (error) =>
      error instanceof ListenError && error.code === "EADDRINUSE" &&
      error.message.startsWith(`failed to bind to address 127.0.0.1:${address.port}: Address already in use`),
  );
  server.serve(() => ({ status: 200, headers: [], body: "" }));
  await server.drain(Promise.resolve());
});

import { strict as assert } from "node:assert";
import { LoopLoad } from "../net/loop_load.ts";
import { TrafficMetrics } from "./traffic_metrics.ts";
import { countFlag } from "./traffic_metrics.ts";
import { type FigureSources, readFigures, sumFigures } from "./worker_figures.ts";

function sources(traffic: TrafficMetrics, load: LoopLoad): FigureSources {
  return {
    traffic,
    load,
    flows: { refused: 4 },
    handshakes: { size: 1, completed: 20, failed: 2 },
    held: { total: 99 },
    heap: 1000,
  };
}

Deno.test("worker figures: traffic of both directions, and the longest turn of all workers", () => {
  const traffic = new TrafficMetrics(), load = new LoopLoad();
  for (const reporter of ["source", "destination"] as const) {
    const of = {
      reporter,
      source: null,
      derivedSource: null,
      destination: null,
      derivedDestination: null,
      service: null,
      mutualTls: true,
    };
    const series = traffic.series(of, traffic.labels.sides(of));
    series.opened = reporter === "source" ? 10 : 3;
    series.received = 100;
    series.sent = 50;
    countFlag(series.closed, "-", 1);
    countFlag(series.closed, "DENY");
    countFlag(series.failed, "DENY");
    if (reporter === "source") countFlag(series.failed, "CONNECT", 2);
  }
  for (const duration of [2, 7, 1]) load.turnEnded(duration);
  const one = readFigures(sources(traffic, load));
  assert.deepEqual(one, {
    openedInbound: 3,
    openedOutbound: 10,
    openInbound: 1,
    openOutbound: 8,
    denied: 2,
    failed: 2,
    refused: 4,
    handshakes: 20,
    handshakesFailed: 2,
    handshakesWaiting: 1,
    bytesToServers: 200,
    bytesToClients: 100,
    held: 99,
    turns: 3,
    busy: 10,
    longest: 7,
    heap: 1000,
  });
  assert.equal(load.takeLongest(), 7, "a scrape still sees the longest turn");
  load.turnEnded(3);
  const both = sumFigures([one, readFigures(sources(traffic, load))]);
  assert.deepEqual([both.openedOutbound, both.longest, both.turns, both.heap], [20, 7, 7, 2000]);
});

Deno.test("worker figures: what removed series have counted stays in the sums", () => {
  const limits = { all: 10, derived: 10, derivedPerIdentity: 10, expiry: 1000 };
  const traffic = new TrafficMetrics(() => {}, limits);
  const of = {
    reporter: "source",
    source: null,
    derivedSource: null,
    destination: null,
    derivedDestination: null,
    service: null,
    mutualTls: false,
  } as const;
  const series = traffic.series(of, traffic.labels.sides(of));
  series.opened = 5;
  countFlag(series.closed, "-", 5);
  for (const now of [0, 2000]) [...traffic.read(now)];
  assert.deepEqual([traffic.snapshot().length, traffic.totals().outbound.opened], [0, 5]);
});

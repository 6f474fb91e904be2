import { strict as assert } from "node:assert";
import { curves } from "./curves.ts";
import type { FigureId } from "./figures.ts";
import type { Measured, Outcome } from "./outcome.ts";
import { isGood, makeReport, textOf } from "./report.ts";

const MINUTES = 60, SECONDS = MINUTES * 60, EVERY = 5;
const MACHINE = { cpu: "a CPU", cores: 2, kernel: "6.1", deno: "2.9.6", revision: "abc" };
const CALL = { succeeded: 1000, failed: 0, reasons: {}, mayFail: false };

interface Differences {
  /** The value of a figure at a time in hours; others are constant. */
  readonly figures?: { readonly [id in FigureId]?: (hours: number) => number };
  readonly after?: Measured["rest"]["after"];
  readonly errors?: readonly string[];
  readonly calls?: Outcome["calls"];
  readonly fullCollections?: boolean;
}

function reportOf({ figures = {}, after = {}, errors = [], calls = {}, fullCollections = true }: Differences) {
  const before = { descriptors: 70, sockets: 0, table: 0, threads: 8 };
  const measured: Measured = {
    name: "node1",
    cores: 0.05,
    fullCollections,
    rest: { before, after: { ...before, ...after } },
    errors: { count: errors.length, lines: errors },
    points: (id, from, to) =>
      Array.from({ length: SECONDS / EVERY }, (_, index) => index * EVERY)
        .filter((seconds) => seconds >= from && seconds <= to)
        .map((seconds) => ({ hours: seconds / 3600, value: figures[id]?.(seconds / 3600) ?? 100 })),
  };
  return makeReport({
    when: new Date("2026-11-30T12:00:00Z"),
    minutes: MINUTES,
    rate: 1,
    machine: MACHINE,
    outcome: { seconds: SECONDS, proxies: [measured], calls: { echo: CALL, ...calls } },
  });
}

Deno.test("soak: a run in which nothing grows is good", () => {
  const report = reportOf({});
  assert.ok(isGood(report));
  assert.match(textOf(report), /^held: 60 min, slopes without the first 20 min$/m);
});

Deno.test("soak: growth in the first third is warm-up", () => {
  assert.ok(isGood(reportOf({ figures: { rss: (hours) => Math.min(90 + 30 * hours, 100) } })));
});

Deno.test("soak: growth of any figure fails the run, and the table names it", () => {
  for (const id of ["descriptors", "sockets", "table", "series", "heap", "rss", "threads"] as const) {
    const report = reportOf({ figures: { [id]: (hours: number) => 100 + 25 * hours } });
    assert.ok(!isGood(report), id);
    assert.match(textOf(report), /25 ± 0 +\d+ +grows$/m);
    assert.match(textOf(report), /^FAILED/m);
  }
});

Deno.test("soak: heap and RSS are judged only where each collection is a full one, memory without heaps always", () => {
  const growing = (id: FigureId) => ({
    figures: { [id]: (hours: number) => 100 + 25 * hours },
    fullCollections: false,
  });
  assert.ok(isGood(reportOf(growing("rss"))));
  assert.match(textOf(reportOf(growing("rss"))), /resident memory, MB .* not judged$/m);
  assert.ok(!isGood(reportOf(growing("native"))));
});

Deno.test("soak: a connection that should have succeeded fails the run, one that may be cut does not", () => {
  const failed = { ...CALL, failed: 1, reasons: { "ConnectionReset: by peer": 1 } };
  const report = reportOf({ calls: { upload: failed } });
  assert.ok(!isGood(report));
  assert.match(textOf(report), /^ {2}upload: 1 x ConnectionReset: by peer$/m);
  assert.ok(isGood(reportOf({ calls: { upload: { ...failed, mayFail: true } } })));
});

Deno.test("soak: what is left after the load, and errors in the log, fail the run", () => {
  assert.ok(!isGood(reportOf({ after: { descriptors: 75 } })));
  assert.ok(!isGood(reportOf({ after: { table: 1 } })));
  assert.ok(!isGood(reportOf({ errors: ["an error"] })));
  assert.ok(isGood(reportOf({ after: { descriptors: 60 } })));
});

Deno.test("soak: the curves are thinned out, and drawn for each figure", () => {
  const report = reportOf({ figures: { rss: (hours) => 100 + 30 * hours } });
  for (const { curve } of report.proxies[0]!.figures) assert.ok(curve.length <= 120);
  const svg = curves(report);
  assert.equal(svg.match(/<polyline/g)?.length, 9);
  assert.match(svg, /most 129\.\d+; 30 ± 0 an hour, grows/);
});

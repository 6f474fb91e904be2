/**
 * `/metrics` and `/stats/prometheus` (`docs/spec/config-admin.md` 5.1). The text is generated while it is sent, so any
 * number of series can be served without blocking the event loop.
 */
import type { TurnClock } from "../net/clock.ts";
import type { MetricsSnapshot } from "../telemetry/metrics.ts";
import { openMetricsPieces } from "../telemetry/open_metrics.ts";
import { compressedPieces } from "./compression.ts";
import { chooseCoding } from "./content_coding.ts";
import type { HttpHandler } from "./http_connection.ts";
import { MetricsPages } from "./metrics_pages.ts";
import { empty, type HttpResponse, type StreamedResponse } from "./response.ts";
import { routed } from "./routes.ts";
import { streamed } from "./streamed.ts";

/** Collects the sums over all isolates. */
export type CollectMetrics = () => Promise<MetricsSnapshot>;

const OPEN_METRICS = "application/openmetrics-text;charset=utf-8;version=1.0.0";
const PLAIN_TEXT = "text/plain; charset=utf-8";
/** Characters per piece. */
const PIECE = 16 * 1024;
/** Characters. A shorter body is sent as a whole with `content-length`, as the native proxy does. */
const WHOLE_MAX = 256 * 1024;
/** Milliseconds of work after which other tasks of the event loop run. */
const WORK_MAX = 2;
/** Time limit of a scrape, ms. Scrapers wait for a minute at most; a slower reader only occupies a snapshot. */
const SCRAPE_MAX = 60_000;

/** The handler of the port. */
export function statsHandler(collect: CollectMetrics, clock: TurnClock): HttpHandler {
  const pages = new MetricsPages(collect);
  const metrics: HttpHandler = async (request) => {
    const coding = chooseCoding(request.headers.get("accept-encoding") ?? []);
    if (coding === null) return empty(406);
    const type = ["content-type", metricsType(request.headers.get("accept") ?? [])] as const;
    const vary = ["vary", "accept-encoding"] as const;
    const page = await pages.take();
    const close = () => pages.release(page);
    const pieces = piecesOf(page.snapshot, clock);
    if (coding !== "identity") {
      return streamed([type, ["content-encoding", coding], vary], compressedPieces(pieces, coding), close);
    }
    try {
      return await wholeOrStreamed([type, vary], pieces, close);
    } catch (error) {
      close();
      throw error;
    }
  };
  return routed({ "/metrics": metrics, "/stats/prometheus": metrics });
}

async function wholeOrStreamed(
  headers: HttpResponse["headers"],
  pieces: AsyncGenerator<string, void, undefined>,
  close: () => void,
): Promise<HttpResponse | StreamedResponse> {
  const made: string[] = [];
  for (let characters = 0; characters < WHOLE_MAX;) {
    const piece = await pieces.next();
    if (piece.done) return { status: 200, headers, body: made.join(""), close };
    made.push(piece.value);
    characters += piece.value.length;
  }
  const all = async function* () {
    yield* made;
    yield* pieces;
  };
  return streamed(headers, all(), close);
}

async function* piecesOf(snapshot: MetricsSnapshot, clock: TurnClock): AsyncGenerator<string, void, undefined> {
  const end = clock.now() + SCRAPE_MAX;
  let pause = clock.now() + WORK_MAX;
  let text = "";
  for (const piece of openMetricsPieces(snapshot)) {
    text += piece;
    if (text.length < PIECE) continue;
    yield text;
    text = "";
    const now = clock.now();
    if (now > end) throw new Error(`the metrics were not read within ${SCRAPE_MAX / 1000} seconds`);
    if (now < pause) continue;
    await clock.turn();
    pause = clock.now() + WORK_MAX;
  }
  yield text;
}

/** The content type. The body is the same for both. Items of `Accept` are not trimmed, as in the native proxy. */
export function metricsType(accept: readonly string[]): string {
  const types = accept.flatMap((value) => value.split(",")).map((item) => item.split(";", 1)[0]?.toLowerCase());
  return types.includes("application/openmetrics-text") ? OPEN_METRICS : PLAIN_TEXT;
}

/** Samples of the figures of proxies. */
import { readSystemFile } from "../../src/os/system_files.ts";
import { descriptors, residentBytes } from "../cpu.ts";
import type { FigureId, Reading } from "./figures.ts";
import { HeapTrace } from "./heap_trace.ts";
import type { Measured } from "./outcome.ts";
import type { SoakProxy } from "./scene.ts";
import { scrape } from "./scrape.ts";
import type { Point } from "./slope.ts";

const MB = 1e6;

/** A sample: seconds since the start of the run, and the figures. */
interface Sample {
  readonly seconds: number;
  readonly reading: Reading;
}

/** All samples of a proxy, and the errors that it logged. */
export class ProxySamples {
  readonly #heap = new HeapTrace();
  readonly #samples: Sample[] = [];
  #errors = 0;
  readonly #errorLines: string[] = [];

  constructor(readonly of: SoakProxy, readonly folder: string) {
    of.proxy.program.watch((line) => {
      this.#heap.read(line);
      if (ERROR.test(line)) this.#error(line);
    });
  }

  get errors(): Measured["errors"] {
    return { count: this.#errors, lines: this.#errorLines };
  }

  get last(): Reading {
    return this.#samples.at(-1)?.reading ?? {};
  }

  /** Takes a sample. `whole`: also what the proxy reports itself. */
  async take(seconds: number, whole: boolean): Promise<void> {
    const { pid } = this.of.proxy;
    const { used, allocated } = this.#heap;
    const rss = residentBytes(pid) / MB;
    const reading: Reading = {
      descriptors: descriptors(pid),
      threads: Number(/^Threads:\s+(\d+)/m.exec(readSystemFile(`/proc/${pid}/status`))?.[1]),
      rss,
      ...used !== null && { heap: used },
      ...allocated !== null && { native: rss - allocated },
    };
    this.#samples.push({ seconds, reading: whole ? { ...reading, ...await scrape(this.of, this.folder) } : reading });
  }

  /** The samples of a figure between two times, in seconds. */
  points(figure: FigureId, from: number, to: number): Point[] {
    return this.#samples.flatMap(({ seconds, reading }) => {
      const value = reading[figure];
      return value === undefined || seconds < from || seconds > to ? [] : [{ hours: seconds / 3600, value }];
    });
  }

  #error(line: string): void {
    this.#errors++;
    if (this.#errorLines.length < ERRORS_KEPT) this.#errorLines.push(line);
  }
}

/** The access log has a line of level error for each connection that failed, which the callers count. */
const ERROR = /^\S+\terror\t(?!access\t)/;
const ERRORS_KEPT = 5;

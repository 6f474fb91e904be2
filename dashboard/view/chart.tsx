/** One chart over the last hour. */
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { clock } from "../state/format.ts";
import { latest, type Line } from "../state/samples.ts";
import { colourOf } from "./colours.ts";

/** A line of a chart. */
interface ChartLine {
  readonly name: string;
  /** A custom property of the style sheet. */
  readonly colour: string;
  readonly values: Line;
  /** A scale of its own, at the right. */
  readonly isRight?: boolean;
}

/** What a chart shows. */
export interface ChartProps {
  readonly title: string;
  /** ms since the epoch. */
  readonly times: Line;
  readonly lines: readonly ChartLine[];
  readonly format: (value: number) => string;
  readonly formatRight?: (value: number) => string;
  readonly isDark: boolean;
}

/** px; seconds. */
const HEIGHT = 132, HOUR = 3600, SHORTEST = 600;
/** All charts show the same time under the pointer. */
const SYNC = "hour";

/** The chart with its legend, whose values are those under the pointer, or the last ones. */
export function Chart({ title, times, lines, format, formatRight = format, isDark }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [index, setIndex] = useState<number | null>(null);
  const data = dataOf(times, lines);
  const newest = useRef(data);
  newest.current = data;
  useEffect(() => {
    const element = place.current!;
    const made = new uPlot(
      optionsOf(element.clientWidth, lines, format, formatRight, setIndex),
      newest.current,
      element,
    );
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [isDark, lines.length]);
  useEffect(() => plot.current?.setData(data), [times, isDark]);
  const at = index === null ? null : times[index] ?? null;
  const shown = lines.map((line) => ({
    ...line,
    value: at === null ? latest(line.values) : line.values[index!] ?? null,
  }));
  const text = (line: ChartLine, value: number | null) =>
    value === null ? "–" : (line.isRight ? formatRight : format)(value);
  const summary = `${title}: ${shown.map((line) => `${line.name} ${text(line, line.value)}`).join(", ")}`;
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{title}</span>
        <span class="chart-time">{at === null ? "now" : clock(at)}</span>
      </figcaption>
      <ul class="legend" aria-hidden="true">
        {shown.map((line) => (
          <li key={line.name}>
            <i class={`dot ${line.colour.slice(2)}`} />
            {line.name} <b>{text(line, line.value)}</b>
          </li>
        ))}
      </ul>
      <div class="plot" ref={place} role="img" aria-label={summary} />
    </figure>
  );
}

/** The hour before the newest sample, or less where the proxy has not run for so long. */
function timeRange(oldest: number | null, newest: number | null): [number, number] {
  const end = newest ?? Date.now() / 1000;
  return [Math.max(end - HOUR, Math.min(oldest ?? end, end - SHORTEST)), end];
}

function dataOf(times: Line, lines: readonly ChartLine[]): uPlot.AlignedData {
  return [times.map((time) => (time ?? 0) / 1000), ...lines.map(({ values }) => [...values])];
}

function optionsOf(
  width: number,
  lines: readonly ChartLine[],
  format: (value: number) => string,
  formatRight: (value: number) => string,
  onIndex: (index: number | null) => void,
): uPlot.Options {
  const grid = { stroke: colourOf("--line"), width: 1 }, stroke = colourOf("--muted");
  const font = "11px system-ui, sans-serif";
  const scale = { range: (_: uPlot, _low: number, high: number): [number, number] => [0, high > 0 ? high * 1.15 : 1] };
  const axis = { stroke, font, grid, ticks: { show: false } };
  const right = lines.some(({ isRight }) => isRight);
  return {
    width,
    height: HEIGHT,
    padding: [8, right ? 0 : 8, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: SYNC }, points: { size: 6 }, drag: { x: false, y: false }, y: false },
    scales: {
      x: { time: true, range: (_, low, high) => timeRange(low, high) },
      y: scale,
      ...(right ? { right: scale } : {}),
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 60,
        size: 24,
        values: (_, ticks) => ticks.map((tick) => clock(tick * 1000).slice(0, 5)),
      },
      { ...axis, size: 58, space: 34, gap: 6, values: (_, ticks) => ticks.map((tick) => format(tick)) },
      ...(right
        ? [{
          ...axis,
          side: 1,
          scale: "right",
          size: 52,
          space: 34,
          gap: 6,
          grid: { show: false },
          values: (_: uPlot, ticks: number[]) => ticks.map((tick) => formatRight(tick)),
        }]
        : []),
    ],
    series: [
      {},
      ...lines.map(({ name, colour, isRight }, i) => {
        const line = colourOf(colour);
        return {
          label: name,
          scale: isRight ? "right" : "y",
          stroke: line,
          width: 1.5,
          points: { show: false },
          ...(i === 0 ? { fill: line.replace(/^rgb\((.*)\)$/, "rgba($1, 0.10)") } : {}),
        };
      }),
    ],
    hooks: { setCursor: [({ cursor: { idx } }) => onIndex(idx ?? null)] },
  };
}

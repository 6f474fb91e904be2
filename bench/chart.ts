/** The report as a picture: one small bar chart per figure, one colour per subject. */
import { formatFigure } from "./report.ts";
import { medianOf, type Results, type RowResult, type SubjectInfo } from "./results.ts";
import type { Metric } from "./row.ts";

const SHOWN: ReadonlyArray<readonly [row: string, metric: string]> = [
  ["up1", "rate"],
  ["down1", "rate"],
  ["up8", "rate"],
  ["up1", "cpu"],
  ["down1", "cpu"],
  ["up8", "cpu"],
  ["req1", "p50"],
  ["req32", "rate"],
  ["req32", "cpu"],
  ["conn", "rate"],
  ["conn", "cpu"],
  ["beside", "p50"],
  ["syscalls", "requestClient"],
  ["syscalls", "connectionBoth"],
  ["memory", "restClient"],
];

const COLOURS: Readonly<Record<string, string>> = {
  direct: "#9aa0a6",
  nginx: "#4c9f70",
  rust: "#c8553d",
  ours: "#5b8def",
  "ours-3.5": "#1f4fb2",
  "ours-aws-lc": "#12306b",
};

const COLUMNS = 3;
const PANEL = { width: 320, head: 40, bar: 18, gap: 5, foot: 20 };
const LABEL = 70;
const VALUE = 60;
const MARGIN = 16;

interface Panel {
  readonly row: RowResult;
  readonly metric: Metric;
}

/** The chart as SVG. */
export function chart(results: Results): string {
  const panels = SHOWN.flatMap(([rowId, metricId]): Panel[] => {
    const row = results.rows.find((candidate) => candidate.id === rowId);
    const metric = row?.metrics.find((candidate) => candidate.id === metricId);
    return row === undefined || metric === undefined ? [] : [{ row, metric }];
  });
  const height = PANEL.head + results.subjects.length * (PANEL.bar + PANEL.gap) + PANEL.foot;
  const placed = panels.map((panel, index) => {
    const x = MARGIN + (index % COLUMNS) * PANEL.width;
    const y = MARGIN + 28 + Math.floor(index / COLUMNS) * height;
    return `<g transform="translate(${x},${y})">${drawPanel(panel, results.subjects)}</g>`;
  });
  const width = MARGIN * 2 + COLUMNS * PANEL.width;
  const total = MARGIN * 2 + 28 + Math.ceil(panels.length / COLUMNS) * height;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${total}" viewBox="0 0 ${width} ${total}" ` +
    `font-family="system-ui, sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="${MARGIN}" y="${MARGIN + 8}" font-size="14" fill="#202124">${escape(subtitle(results))}</text>
${placed.join("\n")}
</svg>
`;
}

function subtitle(results: Results): string {
  const libraries = results.subjects.filter((s) => s.tls !== "none").map((s) => `${s.id}: ${s.tls}`);
  return `${results.when.slice(0, 10)}, ${results.machine.cores} cores, ${results.rig}; ${libraries.join(", ")}`;
}

function drawPanel({ row, metric }: Panel, subjects: readonly SubjectInfo[]): string {
  const shown = subjects.map(({ id }) => ({ id, value: medianOf(row, id, metric.id) })).filter((s) =>
    !Number.isNaN(s.value)
  );
  const largest = Math.max(...shown.map((subject) => subject.value), Number.MIN_VALUE);
  const room = PANEL.width - LABEL - VALUE - MARGIN;
  const bars = shown.map(({ id, value }, index) => {
    const y = PANEL.head + index * (PANEL.bar + PANEL.gap);
    return drawBar(id, formatFigure(value), y, Math.max(value, 0) / largest * room);
  });
  const unit = metric.unit === "" ? "" : `, ${metric.unit}`;
  return `<text y="12" font-weight="600" fill="#202124">${escape(row.title)}</text>` +
    `<text y="28" fill="#5f6368">${escape(`${metric.title.trim()}${unit} (${metric.better} is better)`)}</text>` +
    bars.join("");
}

function drawBar(id: string, value: string, y: number, length: number): string {
  const middle = y + PANEL.bar - 5;
  return `<text x="${LABEL - 6}" y="${middle}" text-anchor="end" fill="#3c4043">${escape(id)}</text>` +
    `<rect x="${LABEL}" y="${y}" width="${length.toFixed(1)}" height="${PANEL.bar}" rx="2" fill="${
      COLOURS[id] ?? "#888888"
    }"/>` +
    `<text x="${(LABEL + length + 5).toFixed(1)}" y="${middle}" fill="#3c4043">${escape(value)}</text>`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

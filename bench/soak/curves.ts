/** The curves of a soak run as SVG: a row for each figure, a column for each proxy. */
import { type FigureId, FIGURES } from "./figures.ts";
import type { FigureReport, Report } from "./report.ts";

const SHOWN: readonly FigureId[] = [
  "descriptors",
  "sockets",
  "table",
  "series",
  "mesh",
  "certificates",
  "heap",
  "native",
  "rss",
];
const PANEL = { width: 270, height: 110, plot: 62, head: 30 };
const MARGIN = 16, TITLE = 200, HEAD = 44;
const COLOURS = { steady: "#1f4fb2", unclear: "#b26a00", grows: "#c8291f", "not judged": "#80868b" } as const;

/** Draws the curves. */
export function curves(report: Report): string {
  const width = 2 * MARGIN + TITLE + report.proxies.length * PANEL.width;
  const height = 2 * MARGIN + HEAD + SHOWN.length * PANEL.height;
  const rows = SHOWN.flatMap((id, row) => {
    const figure = FIGURES.find((each) => each.id === id)!;
    const y = MARGIN + HEAD + row * PANEL.height;
    const limit = `at most +${figure.perHour}${figure.unit === "" ? "" : ` ${figure.unit}`} an hour`;
    return [
      text(MARGIN, y + PANEL.head, figure.title + (figure.unit === "" ? "" : `, ${figure.unit}`), "#202124"),
      text(MARGIN, y + PANEL.head + 16, limit, "#5f6368"),
      ...report.proxies.map(({ figures }, column) => {
        const found = figures.find((each) => each.id === id);
        const x = MARGIN + TITLE + column * PANEL.width;
        return found === undefined ? "" : `<g transform="translate(${x},${y})">${panel(found, report)}</g>`;
      }),
    ];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    `font-family="system-ui, sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#ffffff"/>
${text(MARGIN, MARGIN + 8, heading(report), "#202124")}
${
      report.proxies.map(({ name }, column) =>
        text(MARGIN + TITLE + column * PANEL.width, MARGIN + 34, name, "#202124")
      ).join("\n")
    }
${rows.join("\n")}
</svg>
`;
}

function heading({ when, minutes, calls, warmUpMinutes }: Report): string {
  const connections = Object.values(calls).reduce((sum, { succeeded }) => sum + succeeded, 0);
  return `${when.slice(0, 10)}: ${minutes} minutes, ${connections.toLocaleString("en")} connections; ` +
    `slopes without the first ${warmUpMinutes} minutes (grey)`;
}

function panel({ curve, perHour, uncertainty, verdict }: FigureReport, { minutes, warmUpMinutes }: Report): string {
  const most = Math.max(...curve.map(([, value]) => value), Number.MIN_VALUE);
  const plotWidth = PANEL.width - 30;
  const x = (at: number) => (at / minutes * plotWidth).toFixed(1);
  const y = (value: number) => (PANEL.head + PANEL.plot * (1 - value / most)).toFixed(1);
  const points = curve.map(([at, value]) => `${x(at)},${y(value)}`).join(" ");
  return `<rect y="${PANEL.head}" width="${x(warmUpMinutes)}" height="${PANEL.plot}" fill="#f1f3f4"/>` +
    `<path d="M0 ${PANEL.head} V${PANEL.head + PANEL.plot} H${plotWidth}" fill="none" stroke="#dadce0"/>` +
    `<polyline points="${points}" fill="none" stroke="${COLOURS[verdict]}" stroke-width="1.3"/>` +
    text(0, PANEL.head - 6, `most ${most}; ${perHour} ± ${uncertainty} an hour, ${verdict}`, "#5f6368");
}

function text(x: number, y: number, words: string, colour: string): string {
  const escaped = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `<text x="${x}" y="${y}" fill="${colour}">${escaped}</text>`;
}

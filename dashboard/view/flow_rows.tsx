/** A long list of flows, of which only the rows that are seen are in the document. */
import { useEffect, useRef, useState } from "preact/hooks";
import { bytes, clock, duration } from "../state/format.ts";
import type { FlowRow } from "../state/flow_list.ts";
import { endingWords, partyName, transportName } from "../state/flow_text.ts";
import { nextSorting, sorted, type Sorting } from "../state/sorting.ts";
import { listWindow } from "../state/window.ts";
import type { FlowEvent } from "../state/wire.ts";
import { Badge, type Tone } from "./parts.tsx";

type ColumnId = "time" | "from" | "to" | "verdict" | "bytes" | "age" | "ending";

interface RowColumn {
  readonly id: ColumnId;
  readonly title: string;
  readonly value: (flow: FlowEvent) => string | number;
  readonly isNumber?: boolean;
}

const COLUMNS: readonly RowColumn[] = [
  { id: "time", title: "Time", value: ({ time }) => time, isNumber: true },
  { id: "from", title: "From", value: ({ source }) => partyName(source) },
  { id: "to", title: "To", value: ({ destination }) => partyName(destination) },
  { id: "verdict", title: "Verdict", value: ({ verdict }) => verdict },
  {
    id: "bytes",
    title: "Sent / received",
    value: ({ bytesSent, bytesReceived }) => bytesSent + bytesReceived,
    isNumber: true,
  },
  { id: "age", title: "Duration", value: ({ age }) => age, isNumber: true },
  { id: "ending", title: "Ending", value: endingWords },
];

/** px; the style sheet has the same. */
const ROW = 32, ROW_NARROW = 58, NARROW = "(max-width: 720px)";

/** The list. Arrow keys go from row to row. */
export function FlowRows(
  { rows, opened, onOpen }: { rows: readonly FlowRow[]; opened: FlowEvent | null; onOpen: (flow: FlowEvent) => void },
) {
  const scroller = useRef<HTMLDivElement>(null);
  const [scrolled, setScrolled] = useState(0);
  const [visible, setVisible] = useState(600);
  const [isNarrow, setNarrow] = useState(matchMedia(NARROW).matches);
  const [sorting, setSorting] = useState<Sorting<ColumnId> | null>(null);
  useEffect(() => {
    const element = scroller.current!;
    const resized = new ResizeObserver(() => {
      setVisible(element.clientHeight);
      setNarrow(matchMedia(NARROW).matches);
    });
    resized.observe(element);
    return () => resized.disconnect();
  }, []);
  const value = COLUMNS.find(({ id }) => id === sorting?.column)?.value;
  const inOrder = value === undefined ? rows : sorted(rows, ({ flow }) => value(flow), sorting!.isDescending);
  const height = isNarrow ? ROW_NARROW : ROW;
  const { first, end, before, after } = listWindow(inOrder.length, scrolled, visible, height);
  const move = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown"
      ? "nextElementSibling"
      : event.key === "ArrowUp"
      ? "previousElementSibling"
      : null;
    const row = document.activeElement?.closest("li");
    if (step === null || row == null) return;
    event.preventDefault();
    row[step]?.querySelector("button")?.focus();
  };
  return (
    <div
      class="flow-scroll"
      ref={scroller}
      onScroll={({ currentTarget }) => setScrolled(currentTarget.scrollTop)}
    >
      <div class="flow-head" role="group" aria-label="Sort by">
        {COLUMNS.map(({ id, title, isNumber }) => (
          <button
            key={id}
            type="button"
            class={`cell-${id}`}
            aria-pressed={sorting?.column === id}
            onClick={() => setSorting(nextSorting(sorting, id, isNumber === true))}
          >
            {title}
            <span class="arrow" aria-hidden="true">
              {sorting?.column !== id ? "" : sorting.isDescending ? "↓" : "↑"}
            </span>
          </button>
        ))}
      </div>
      <ul
        aria-label="Flows, newest first"
        onKeyDown={move}
      >
        <li class="gap" style={{ height: `${before}px` }} aria-hidden="true" />
        {inOrder.slice(first, end).map((row) => (
          <li key={row.key}>
            <Row flow={row.flow} isOpened={row.flow === opened} onOpen={onOpen} />
          </li>
        ))}
        <li class="gap" style={{ height: `${after}px` }} aria-hidden="true" />
      </ul>
    </div>
  );
}

const TONES: Readonly<Record<FlowEvent["verdict"], Tone>> = { ok: "ok", denied: "warn", failed: "bad" };

/** The verdict of a flow, or that it is open. */
export function Verdict({ flow }: { flow: FlowEvent }) {
  if (flow.event === "opened") return <Badge tone="accent">open</Badge>;
  return <Badge tone={TONES[flow.verdict]}>{flow.verdict === "denied" ? "refused" : flow.verdict}</Badge>;
}

function Row({ flow, isOpened, onOpen }: { flow: FlowEvent; isOpened: boolean; onOpen: (flow: FlowEvent) => void }) {
  const { time, direction, source, destination, service, target, bytesSent, bytesReceived, age, event } = flow;
  const transport = transportName(flow);
  return (
    <button
      type="button"
      class={`flow${isOpened ? " opened" : ""}`}
      onClick={() => onOpen(flow)}
      aria-label={`${partyName(source)} to ${service ?? partyName(destination)}, ${endingWords(flow)}: explain`}
    >
      <span class="cell-time">{time === "" ? "" : clock(time)}</span>
      <span class="cell-from">
        <i class={`direction ${direction}`} title={direction}>{direction === "inbound" ? "in" : "out"}</i>
        {partyName(source)}
      </span>
      <span class="cell-to">
        <i class={`lock ${transport === "plain" ? "plain" : "secure"}`} title={transport} />
        {partyName(destination)} <small>{service ?? target}</small>
      </span>
      <span class="cell-verdict">
        <Verdict flow={flow} />
      </span>
      <span class="cell-bytes">{event === "refused" ? "–" : `${bytes(bytesSent)} / ${bytes(bytesReceived)}`}</span>
      <span class="cell-age">{duration(age)}</span>
      <span class="cell-ending">{endingWords(flow)}</span>
    </button>
  );
}

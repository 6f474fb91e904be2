/** Connections: live, the last endings, and those that are open. */
import type { ComponentChildren } from "preact";
import { useEffect, useReducer, useState } from "preact/hooks";
import { counted, decimal } from "../state/format.ts";
import { NO_FLOWS, reduceFlows } from "../state/flow_list.ts";
import { type FlowMode, flowMode } from "../state/flow_mode.ts";
import { ANY_FLOW, conditions, flowParameters, type FlowQuery, readFlowQuery } from "../state/flow_query.ts";
import { formatAddress } from "../state/page_address.ts";
import type { FlowEvent } from "../state/wire.ts";
import { FlowDetail } from "./flow_detail.tsx";
import { FlowFilter } from "./flow_filter.tsx";
import { FlowRows } from "./flow_rows.tsx";
import { OpenConnections } from "./open_connections.tsx";
import { Badge, Card, Empty, Problem, Segments } from "./parts.tsx";
import { useStream } from "./use_stream.ts";

interface FlowsProps {
  readonly parameters: URLSearchParams;
  /** Events per second, by the samples of the node. */
  readonly eventRate: number;
}

/** Endings that are shown at first, and while there are too many to follow. */
const LAST = 200;
const POLL = 2000;

/** The view. */
export function FlowsView({ parameters, eventRate }: FlowsProps) {
  const query = readFlowQuery(parameters);
  const what = parameters.get("list") === "open" ? "open" : "live";
  const [opened, setOpened] = useState<FlowEvent | null>(null);
  const go = (next: FlowQuery, list: string = what) => {
    location.hash = formatAddress("flows", { ...next, list: list === "open" ? "open" : "" });
  };
  const choice = (
    <Segments
      label="Which connections"
      value={what}
      options={[["live", "Live and ended"], ["open", "Open now"]]}
      onChange={(list) => go(query, list)}
    />
  );
  return (
    <>
      <FlowFilter key={`${flowParameters(query)}`} query={query} onChange={(next) => go(next)} />
      {what === "open"
        ? (
          <OpenConnections
            key={`${flowParameters(query)}`}
            query={query}
            onOpen={setOpened}
            opened={opened}
            choice={choice}
          />
        )
        : (
          <LiveFlows
            key={`${flowParameters(query)}`}
            {...{ query, eventRate, opened, choice }}
            onOpen={setOpened}
            onReset={() => go(ANY_FLOW)}
          />
        )}
      {opened !== null && <FlowDetail flow={opened} onClose={() => setOpened(null)} />}
    </>
  );
}

interface LiveProps {
  readonly query: FlowQuery;
  readonly eventRate: number;
  readonly opened: FlowEvent | null;
  /** Chooses between this list and the other one. */
  readonly choice: ComponentChildren;
  readonly onOpen: (flow: FlowEvent) => void;
  readonly onReset: () => void;
}

function LiveFlows({ query, eventRate, opened, choice, onOpen, onReset }: LiveProps) {
  const [list, act] = useReducer(reduceFlows, NO_FLOWS);
  const [mode, setMode] = useState<FlowMode>(flowMode("follow", eventRate));
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => setMode((last) => flowMode(last, eventRate)), [eventRate]);
  const text = flowParameters(query);
  const link = useStream(mode === "follow" ? `observe?${text}&last=${LAST}` : null, {
    types: ["lost"],
    silence: null,
    onEvents(events, dropped, isBeginning) {
      const lost = events.filter(({ type }) => type === "lost").reduce((sum, { data }) => sum + Number(data), dropped);
      if (lost > 0) act({ kind: "lost", count: lost });
      const flows = events.filter(({ type }) => type === "message").map(({ data }) => JSON.parse(data) as FlowEvent);
      // A stream begins with the last endings.
      act({ kind: isBeginning ? "begun" : "events", events: flows });
    },
  });
  useEffect(
    () =>
      mode === "poll" ? pollEndings(`${text}`, (events) => act({ kind: "replaced", events }), setProblem) : undefined,
    [mode],
  );
  const { rows, waiting, isPaused, lost } = list;
  const tools = (
    <>
      {choice}
      {mode === "poll" && <Badge tone="quiet">{decimal(eventRate)} events/s: the last {LAST} every 2 s</Badge>}
      {lost > 0 && <Badge tone="warn">{counted(lost, "event")} missed</Badge>}
      <button
        type="button"
        class="button"
        aria-pressed={isPaused}
        onClick={() => act({ kind: isPaused ? "resumed" : "paused" })}
      >
        {isPaused ? `Go on${waiting.length > 0 ? ` (${waiting.length} new)` : ""}` : "Pause"}
      </button>
    </>
  );
  return (
    <Card title={isPaused ? "Flows, paused" : "Flows"} aside={tools} flush>
      <Problem text={mode === "poll" ? problem : link.state === "lost" ? "the stream of flows has ended" : null} />
      {rows.length === 0
        ? (
          <Empty title={conditions(query) === 0 ? "No connection has opened or ended" : "Nothing meets the filter"}>
            Each connection appears here when it opens, is refused or ends.{" "}
            {conditions(query) > 0 && <button type="button" class="link" onClick={onReset}>Remove the filter</button>}
          </Empty>
        )
        : <FlowRows rows={rows} opened={opened} onOpen={onOpen} />}
    </Card>
  );
}

function pollEndings(
  text: string,
  onEvents: (events: readonly FlowEvent[]) => void,
  onProblem: (text: string | null) => void,
): () => void {
  const abort = new AbortController();
  let timer = 0;
  const ask = async () => {
    if (!document.hidden) {
      try {
        onEvents(await lastEndings(`${text}&last=${LAST}`, abort.signal));
        onProblem(null);
      } catch (error) {
        if (!abort.signal.aborted) onProblem(error instanceof Error ? error.message : String(error));
      }
    }
    if (!abort.signal.aborted) timer = setTimeout(ask, POLL);
  };
  void ask();
  return () => {
    abort.abort();
    clearTimeout(timer);
  };
}

async function lastEndings(query: string, signal: AbortSignal): Promise<FlowEvent[]> {
  const response = await fetch(`observe?${query}&follow=false`, { signal });
  const text = await response.text();
  if (!response.ok) throw new Error(text.trim());
  return text.split("\n").filter((line) => line.startsWith("data: {")).map((line) => JSON.parse(line.slice(6)));
}

/** The last flows of a filter, once. */
export function askLast(query: string): Promise<FlowEvent[]> {
  return lastEndings(query, new AbortController().signal);
}

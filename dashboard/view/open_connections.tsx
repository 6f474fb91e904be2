/** The connections that are open now, a page at a time. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { FlowRow } from "../state/flow_list.ts";
import { conditions, flowParameters, type FlowQuery } from "../state/flow_query.ts";
import { count } from "../state/format.ts";
import type { Connections, FlowEvent } from "../state/wire.ts";
import { FlowRows } from "./flow_rows.tsx";
import { Card, Empty, Loading, Problem } from "./parts.tsx";
import { getJson } from "./use_json.ts";

/** Connections of a request. */
const PAGE = 500;

interface Listed {
  readonly rows: readonly FlowRow[];
  readonly next: string | null;
  readonly isReady: boolean;
  readonly problem: string | null;
}

const NOTHING: Listed = { rows: [], next: null, isReady: false, problem: null };

/** The list. It is read once: it would change under the reader otherwise. */
export function OpenConnections(
  { query, opened, choice, onOpen }: {
    query: FlowQuery;
    opened: FlowEvent | null;
    /** Chooses between this list and the other one. */
    choice: ComponentChildren;
    onOpen: (flow: FlowEvent) => void;
  },
) {
  const [listed, setListed] = useState(NOTHING);
  const read = async (before: Listed) => {
    const parameters = flowParameters(query);
    parameters.set("limit", `${PAGE}`);
    if (before.next !== null) parameters.set("after", before.next);
    try {
      const { connections, next } = await getJson<Connections>(`connections?${parameters}`);
      const rows = connections.map((flow, i) => ({
        key: before.rows.length + i,
        flow: { ...flow, event: "opened", time: new Date(Date.now() - flow.age).toISOString() } as const,
      }));
      setListed({ rows: [...before.rows, ...rows], next, isReady: true, problem: null });
    } catch (error) {
      setListed({ ...before, isReady: true, problem: error instanceof Error ? error.message : String(error) });
    }
  };
  useEffect(() => void read(NOTHING), []);
  const { rows, next, isReady, problem } = listed;
  const tools = (
    <>
      {choice}
      <button type="button" class="button" onClick={() => void read(NOTHING)}>Read again</button>
    </>
  );
  return (
    <Card title={`Open connections (${count(rows.length)}${next === null ? "" : "+"})`} aside={tools} flush>
      <Problem text={problem} />
      {!isReady
        ? <Loading />
        : rows.length === 0
        ? (
          <Empty title={conditions(query) === 0 ? "No connection is open" : "No open connection meets the filter"}>
            Connections of all pods of this node appear here as long as they are open.
          </Empty>
        )
        : <FlowRows rows={rows} opened={opened} onOpen={onOpen} />}
      {next !== null && (
        <button type="button" class="more" onClick={() => void read(listed)}>Show {count(PAGE)} more</button>
      )}
    </Card>
  );
}

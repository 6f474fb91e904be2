/** Who talks to whom: a picture, and the same as a table. */
import { useMemo, useState } from "preact/hooks";
import { bytes, count, counted, decimal } from "../state/format.ts";
import { type GraphEdge, graphOf, type GraphOptions } from "../state/graph.ts";
import type { ServiceMap } from "../state/wire.ts";
import { MapPicture } from "./map_picture.tsx";
import { Badge, Card, Empty, Field, Loading, Problem, Segments } from "./parts.tsx";
import { type Column, Table } from "./table.tsx";
import { useJson } from "./use_json.ts";

/** Edges that are still legible in one picture. */
const PICTURE_MAX = 60;

/** The view. */
export function MapView() {
  const { data, problem } = useJson<ServiceMap>("service-map", 5000);
  const [by, setBy] = useState<GraphOptions["by"]>("workload");
  const [search, setSearch] = useState("");
  const [selected, setSelected] = useState<string | null>(null);
  const graph = useMemo(() => data === null ? null : graphOf(data, { by, search: search.trim(), most: PICTURE_MAX }), [
    data,
    by,
    search,
  ]);
  if (graph === null || data === null) return problem === null ? <Loading /> : <Problem text={problem} />;
  const tools = (
    <>
      <Field label="Find" value={search} onInput={setSearch} placeholder="name or namespace" />
      <Segments
        label="Group by"
        value={by}
        options={[["workload", "Workloads"], ["namespace", "Namespaces"]]}
        onChange={(value) => {
          setBy(value);
          setSelected(null);
        }}
      />
    </>
  );
  return (
    <>
      <Problem text={problem} />
      <Card title="Service map" aside={tools} flush>
        {graph.edges.length === 0
          ? (
            <Empty title={search === "" ? "No connection so far" : `Nothing matches “${search}”`}>
              Workloads of this node appear here with what they talk to, once a connection was opened.
            </Empty>
          )
          : <MapPicture graph={graph} selected={selected} onSelect={setSelected} />}
        <Legend leftOut={graph.leftOut} />
      </Card>
      {graph.edges.length > 0 && (
        <Card title={`Pairs (${count(graph.edges.length)})`} flush>
          <Table
            caption="Pairs of workloads with their traffic"
            columns={COLUMNS}
            rows={selected === null
              ? graph.edges
              : graph.edges.filter(({ from, to }) => from === selected || to === selected)}
            keyOf={({ from, to, mutualTls }) => `${from} ${to} ${mutualTls}`}
          />
        </Card>
      )}
    </>
  );
}

function Legend({ leftOut }: { leftOut: number }) {
  return (
    <p class="map-legend">
      <span>
        <i class="stroke secure" /> mutual TLS
      </span>
      <span>
        <i class="stroke plain" /> plain
      </span>
      <span>
        <i class="stroke failing" /> refused or failing
      </span>
      <span class="spread">
        {leftOut === 0
          ? "Nothing is left out."
          : `${counted(leftOut, "pair")} with less traffic ${
            leftOut === 1 ? "is" : "are"
          } left out: search, or group by namespace.`}
      </span>
    </p>
  );
}

const name = (id: string) =>
  id === "outside:client" ? "callers outside the mesh" : id === "outside:server" ? "outside the mesh" : id;

const COLUMNS: readonly Column<GraphEdge>[] = [
  { id: "from", title: "From", show: ({ from }) => name(from), value: ({ from }) => from },
  { id: "to", title: "To", show: ({ to }) => name(to), value: ({ to }) => to },
  { id: "service", title: "Service", show: ({ services }) => services.join(", ") || "–", isMinor: true },
  {
    id: "tls",
    title: "Transport",
    show: ({ mutualTls }) => mutualTls ? <Badge tone="accent">mTLS</Badge> : <Badge tone="warn">plain</Badge>,
    value: ({ mutualTls }) => Number(mutualTls),
  },
  {
    id: "rate",
    title: "New per s",
    show: ({ rate }) => rate === null ? "–" : decimal(rate),
    value: ({ rate }) => rate ?? 0,
    isNumber: true,
  },
  { id: "open", title: "Open", show: ({ open }) => count(open), value: ({ open }) => open, isNumber: true },
  {
    id: "opened",
    title: "So far",
    show: ({ opened }) => count(opened),
    value: ({ opened }) => opened,
    isNumber: true,
    isMinor: true,
  },
  {
    id: "denied",
    title: "Refused",
    show: ({ denied }) => <span class={denied > 0 ? "text-warn" : ""}>{count(denied)}</span>,
    value: ({ denied }) => denied,
    isNumber: true,
  },
  {
    id: "failed",
    title: "Failed",
    show: ({ failed }) => <span class={failed > 0 ? "text-bad" : ""}>{count(failed)}</span>,
    value: ({ failed }) => failed,
    isNumber: true,
  },
  {
    id: "bytes",
    title: "Bytes",
    show: ({ bytes: moved }) => bytes(moved),
    value: ({ bytes: moved }) => moved,
    isNumber: true,
  },
];

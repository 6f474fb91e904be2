/** The pods that this proxy serves. */
import { count, counted } from "../state/format.ts";
import { formatAddress } from "../state/page_address.ts";
import type { Pod, Pods } from "../state/wire.ts";
import { Badge, Card, Empty, Loading, Problem } from "./parts.tsx";
import { type Column, Table } from "./table.tsx";
import { useJson } from "./use_json.ts";

/** The view. */
export function PodsView() {
  const { data, problem } = useJson<Pods>("pods", 5000);
  if (data === null) return problem === null ? <Loading /> : <Problem text={problem} />;
  const { pods, more, listeners, differences } = data;
  const wrong = pods.filter((pod) => pod.differences.length > 0).length + differences.length;
  return (
    <>
      <Problem text={problem} />
      <div class="cards">
        <Card
          title="Audit"
          aside={wrong === 0
            ? <Badge tone="ok">no differences</Badge>
            : <Badge tone="bad">{counted(wrong, "difference")}</Badge>}
        >
          <p class="quiet-text">
            Every half minute this proxy compares the pods that the node's agent has enrolled with what its threads and
            the kernel serve.
          </p>
          {differences.length > 0 && <ul class="texts">{differences.map((text) => <li key={text}>{text}</li>)}</ul>}
        </Card>
        <Card title="Listeners of each pod">
          <ul class="chips">
            {listeners.map(({ name, port }) => (
              <li key={name}>
                {name} <b>{port === 0 ? "chosen by the kernel, see the log" : port}</b>
              </li>
            ))}
          </ul>
        </Card>
      </div>
      <Card title={`Pods (${count(pods.length + more)})`} flush>
        {pods.length === 0
          ? (
            <Empty title="No pod is enrolled">
              Pods of this node appear here once the node's agent (istio-cni) has handed them over: label a namespace
              with istio.io/dataplane-mode=ambient.
            </Empty>
          )
          : <Table caption="Pods of this node" rows={pods} columns={COLUMNS} keyOf={(pod) => pod.uid ?? nameOf(pod)} />}
        {more > 0 && <p class="quiet-text left-out">{counted(more, "pod")} without problems left out.</p>}
      </Card>
    </>
  );
}

const nameOf = ({ namespace, name }: Pod) => `${namespace}/${name}`;

const COLUMNS: readonly Column<Pod>[] = [
  { id: "name", title: "Pod", show: nameOf, value: nameOf },
  {
    id: "account",
    title: "Service account",
    show: ({ serviceAccount }) => serviceAccount,
    value: ({ serviceAccount }) => serviceAccount,
    isMinor: true,
  },
  {
    id: "state",
    title: "State",
    show: ({ state }) => <Badge tone={state === "Up" ? "ok" : "warn"}>{state === "Up" ? "served" : "pending"}</Badge>,
    value: ({ state }) => state,
  },
  {
    id: "audit",
    title: "Audit",
    show: ({ differences }) =>
      differences.length === 0
        ? <span class="quiet-text">as it should be</span>
        : <span class="text-bad">{differences.join("; ")}</span>,
    value: ({ differences }) => differences.length,
  },
  {
    id: "links",
    title: "",
    show: (pod) => (
      <span class="links">
        <a href={formatAddress("flows", { workload: nameOf(pod) })}>Flows</a>
        <a href={formatAddress("explain", { from: nameOf(pod) })}>Explain</a>
      </span>
    ),
  },
];

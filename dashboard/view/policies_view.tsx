/** Policies: what they have decided on this node, what those in dry run would have, and the last refusals. */
import { useEffect, useState } from "preact/hooks";
import { partyName } from "../state/flow_text.ts";
import { clock, count, counted } from "../state/format.ts";
import { formatAddress } from "../state/page_address.ts";
import type { DryRuns, FlowEvent, Policies, Policy } from "../state/wire.ts";
import { askLast } from "./flows_view.tsx";
import { Badge, Card, Empty, Field, Loading, Problem } from "./parts.tsx";
import { SimulateCard } from "./simulate_card.tsx";
import { type Column, Table } from "./table.tsx";
import { useJson } from "./use_json.ts";

/** The view. */
export function PoliciesView() {
  const [search, setSearch] = useState("");
  const { data, problem } = useJson<Policies>(`policies?${new URLSearchParams({ search: search.trim() })}`, 5000);
  const tools = <Field label="Find" value={search} onInput={setSearch} placeholder="name or namespace" />;
  return (
    <>
      <Problem text={problem} />
      <Card
        title={data === null ? "Policies" : `Policies (${count(data.policies.length)}${data.isCut ? "+" : ""})`}
        aside={tools}
        flush
      >
        {data === null
          ? <Loading />
          : data.policies.length === 0
          ? (
            <Empty title={search === "" ? "No policy so far" : `No policy matches “${search}”`}>
              Authorization policies that the control plane has sent appear here, with what they have decided on this
              node.
            </Empty>
          )
          : (
            <Table
              caption="Policies with their decisions"
              rows={data.policies}
              columns={COLUMNS}
              keyOf={({ policy }) => `${policy}`}
            />
          )}
        {data?.isCut === true && <p class="quiet-text left-out">There are more: find them by name.</p>}
      </Card>
      <SimulateCard />
      <DryRunCard />
      <RefusalCard />
    </>
  );
}

function sumOf({ hits }: Policy, pattern: RegExp): number {
  return hits.filter(({ decision }) => pattern.test(decision)).reduce((sum, hit) => sum + hit.count, 0);
}

const refused = (row: Policy) => sumOf(row, /deny|no allow policies matched/);
const admitted = (row: Policy) => sumOf(row, /^allow/);

const COLUMNS: readonly Column<Policy>[] = [
  {
    id: "policy",
    title: "Policy",
    show: ({ policy }) => policy === null ? <i>no matching policy</i> : <code>{policy}</code>,
    value: ({ policy }) => policy ?? "",
  },
  {
    id: "action",
    title: "Action",
    show: ({ action, policy }) =>
      action === null
        ? (policy === null ? "" : <Badge tone="quiet">removed</Badge>)
        : <Badge tone={action === "Deny" ? "warn" : "ok"}>{action.toLowerCase()}</Badge>,
    value: ({ action }) => action ?? "",
  },
  {
    id: "scope",
    title: "Scope",
    show: ({ scope }) => SCOPES[scope ?? ""] ?? "",
    value: ({ scope }) => scope ?? "",
    isMinor: true,
  },
  {
    id: "rules",
    title: "Rules",
    show: ({ rules, action }) => action === null ? "" : count(rules),
    value: ({ rules }) => rules,
    isNumber: true,
    isMinor: true,
  },
  {
    id: "dry",
    title: "Dry run",
    show: ({ dryRun }) => dryRun ? <Badge tone="accent">dry run</Badge> : "",
    value: ({ dryRun }) => Number(dryRun),
  },
  {
    id: "refused",
    title: "Refused",
    show: (row) => <span class={refused(row) > 0 ? "text-warn" : "quiet-text"}>{count(refused(row))}</span>,
    value: refused,
    isNumber: true,
  },
  { id: "admitted", title: "Admitted", show: (row) => count(admitted(row)), value: admitted, isNumber: true },
];

const SCOPES: Readonly<Record<string, string>> = {
  Global: "mesh",
  Namespace: "namespace",
  WorkloadSelector: "selected workloads",
};

function DryRunCard() {
  const { data, problem } = useJson<DryRuns>("dry-run", 10_000);
  const rows = data?.counts ?? [];
  return (
    <Card title="Dry runs" flush>
      <Problem text={problem} />
      {data === null ? <Loading /> : rows.length === 0
        ? (
          <Empty title="No policy in dry run has decided anything">
            What a policy with the annotation istio.io/dry-run would have decided appears here, by caller.
          </Empty>
        )
        : (
          <Table
            caption="What policies in dry run would have decided"
            rows={rows}
            columns={DRY_COLUMNS}
            keyOf={({ policy, result, caller }) => `${policy} ${result} ${caller}`}
          />
        )}
    </Card>
  );
}

const DRY_COLUMNS: readonly Column<DryRuns["counts"][number]>[] = [
  {
    id: "policy",
    title: "Policy",
    show: ({ policy }) => <code>{policy ?? "no allow policy"}</code>,
    value: ({ policy }) => policy ?? "",
  },
  {
    id: "result",
    title: "Would have",
    show: ({ result }) => result.replace(/^dry-run: /, ""),
    value: ({ result }) => result,
  },
  { id: "caller", title: "Caller", show: ({ caller }) => caller ?? "others", value: ({ caller }) => caller ?? "" },
  { id: "count", title: "Calls", show: (row) => count(row.count), value: (row) => row.count, isNumber: true },
];

const REFUSALS = 50;

function RefusalCard() {
  const [flows, setFlows] = useState<readonly FlowEvent[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    let timer = 0, isOver = false;
    const ask = async () => {
      try {
        const last = await askLast(`verdict=denied&last=${REFUSALS}`);
        if (!isOver) setFlows(last.reverse());
        setProblem(null);
      } catch (error) {
        setProblem(error instanceof Error ? error.message : String(error));
      }
      if (!isOver) timer = setTimeout(ask, 5000);
    };
    void ask();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, []);
  const link = <a href={formatAddress("flows", { verdict: "denied" })}>Follow them</a>;
  return (
    <Card title="Last refusals" aside={link} flush>
      <Problem text={problem} />
      {flows === null ? <Loading /> : flows.length === 0
        ? (
          <Empty title="Nothing was refused">
            The last connections that a policy of this node has refused appear here, with what was asked for and by
            whom.
          </Empty>
        )
        : (
          <Table
            caption={`The last ${counted(flows.length, "refusal")}`}
            rows={flows}
            columns={REFUSAL_COLUMNS}
            keyOf={({ id, time, direction }) => `${id} ${time} ${direction}`}
          />
        )}
    </Card>
  );
}

const REFUSAL_COLUMNS: readonly Column<FlowEvent>[] = [
  { id: "time", title: "Time", show: ({ time }) => clock(time), value: ({ time }) => time },
  { id: "from", title: "From", show: ({ source }) => partyName(source), value: ({ source }) => partyName(source) },
  {
    id: "to",
    title: "To",
    show: ({ destination, target }) => (
      <>
        {partyName(destination)} <small>{target}</small>
      </>
    ),
    value: ({ destination }) => partyName(destination),
  },
  { id: "why", title: "Why", show: ({ error }) => error ?? "" },
];

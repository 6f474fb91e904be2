/** What would change if policies were applied? */
import { useState } from "preact/hooks";
import { count } from "../state/format.ts";
import { SIMULATED, type SimulatedRow, simulatedRows, type Simulation } from "../state/simulation.ts";
import { Badge, Card, Empty, Field } from "./parts.tsx";
import { type Column, Table } from "./table.tsx";

type Answer =
  | { readonly kind: "none" | "asking" }
  | { readonly kind: "mistake"; readonly text: string }
  | { readonly kind: "result"; readonly simulation: Simulation };

/** A form for policies in YAML, and what they would change. Nothing is applied. */
export function SimulateCard() {
  const [yaml, setYaml] = useState(""), [deletion, setDeletion] = useState("");
  const [answer, setAnswer] = useState<Answer>({ kind: "none" });
  const ask = async () => {
    setAnswer({ kind: "asking" });
    setAnswer(await simulate(yaml, deletion));
  };
  return (
    <Card title="What would change?">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void ask();
        }}
      >
        <label class="field">
          <span>Policies</span>
          <textarea
            rows={6}
            spellcheck={false}
            value={yaml}
            placeholder="AuthorizationPolicies and PeerAuthentications in YAML"
            onInput={(event) => setYaml(event.currentTarget.value)}
          />
        </label>
        <Field
          label="Delete"
          value={deletion}
          onInput={setDeletion}
          placeholder="namespace/name, several with spaces between"
        />
        <div class="filter-buttons">
          <button type="submit" class="button primary" disabled={answer.kind === "asking"}>Simulate</button>
        </div>
      </form>
      <AnswerText answer={answer} />
    </Card>
  );
}

async function simulate(yaml: string, deletion: string): Promise<Answer> {
  const names = deletion.split(/\s+/).filter((name) => name !== "");
  const query = new URLSearchParams(names.map((name) => ["delete", name]));
  try {
    const response = await fetch(`simulate?${query}`, { method: "POST", body: yaml });
    const text = await response.text();
    if (response.ok) return { kind: "result", simulation: JSON.parse(text) as Simulation };
    const isJson = response.headers.get("content-type") === "application/json";
    return { kind: "mistake", text: isJson ? String((JSON.parse(text) as { error: unknown }).error) : text };
  } catch (error) {
    return { kind: "mistake", text: error instanceof Error ? error.message : String(error) };
  }
}

function AnswerText({ answer }: { answer: Answer }) {
  switch (answer.kind) {
    case "none":
      return null;
    case "asking":
      return <p class="loading" role="status">Simulating…</p>;
    case "mistake":
      return <p class="problem" role="status">{answer.text}</p>;
    case "result":
      return <Result simulation={answer.simulation} />;
    default:
      return answer satisfies never;
  }
}

function Result({ simulation }: { simulation: Simulation }) {
  const rows = simulatedRows(simulation);
  return (
    <div role="status">
      <ul>
        {SIMULATED.map(({ name, title }) => <li key={name}>{summaryOf(title, simulation[name])}</li>)}
        {simulation.applied.map(({ object, effect, notes }) => (
          <li key={object}>{object}: {[effect, ...notes].join("; ")}</li>
        ))}
        {simulation.assumptions.map((text) => <li key={text} class="quiet-text">assumed: {text}</li>)}
      </ul>
      {rows.length === 0
        ? <Empty title="Nothing would change">Every decision that was compared stays the same.</Empty>
        : <Table caption="What would change" rows={rows} columns={COLUMNS} keyOf={({ key }) => key} />}
    </div>
  );
}

function summaryOf(title: string, list: Simulation["pairs"]): string {
  if (list === null) return `${title}: not known`;
  const { refused, allowed, evaluated, more } = list;
  const left = more === 0 ? "" : `; ${count(more)} changes are not listed`;
  return `${title}: ${count(refused)} newly refused, ${count(allowed)} newly allowed of ${count(evaluated)}${left}`;
}

const COLUMNS: readonly Column<SimulatedRow>[] = [
  {
    id: "change",
    title: "Newly",
    show: ({ change }) => <Badge tone={change === "refused" ? "bad" : "ok"}>{change}</Badge>,
    value: ({ change }) => change,
  },
  { id: "what", title: "Of", show: ({ what }) => what, value: ({ what }) => what, isMinor: true },
  { id: "from", title: "From", show: ({ source }) => source, value: ({ source }) => source },
  { id: "to", title: "To", show: ({ destination }) => destination, value: ({ destination }) => destination },
  { id: "count", title: "Count", show: (row) => count(row.count), value: (row) => row.count, isNumber: true },
  { id: "why", title: "Why", show: ({ reason }) => reason },
];

/** The filter of flows. */
import { useState } from "preact/hooks";
import { ANY_FLOW, conditions, type FlowQuery } from "../state/flow_query.ts";
import { Choice, Field } from "./parts.tsx";

const MORE = ["service", "address", "identity", "older", "dryrun"] as const;

/** The form. `onChange` is called when it is sent. */
export function FlowFilter({ query, onChange }: { query: FlowQuery; onChange: (query: FlowQuery) => void }) {
  const [draft, setDraft] = useState(query);
  const [isLong, setLong] = useState(MORE.some((name) => query[name] !== ""));
  const set = (changes: Partial<FlowQuery>) => setDraft({ ...draft, ...changes });
  const choose = (changes: Partial<FlowQuery>) => {
    set(changes);
    onChange({ ...draft, ...changes });
  };
  return (
    <form
      class="filter"
      role="search"
      aria-label="Filter of flows"
      onSubmit={(event) => {
        event.preventDefault();
        onChange(draft);
      }}
    >
      <Field label="Namespace" value={draft.namespace} onInput={(namespace) => set({ namespace })} placeholder="any" />
      <Field
        label="Workload"
        value={draft.workload}
        onInput={(workload) => set({ workload })}
        placeholder="name or namespace/name"
      />
      <Choice
        label="Verdict"
        value={draft.verdict}
        options={[["", "any"], ["ok", "ok"], ["denied", "refused by a policy"], ["failed", "failed"]]}
        onChange={(verdict) => choose({ verdict })}
      />
      <Choice
        label="Direction"
        value={draft.direction}
        options={[["", "both"], ["inbound", "inbound"], ["outbound", "outbound"]]}
        onChange={(direction) => choose({ direction })}
      />
      {isLong && (
        <>
          <Field
            label="Service"
            value={draft.service}
            onInput={(service) => set({ service })}
            placeholder="cart or cart.shop"
          />
          <Field
            label="Address"
            value={draft.address}
            onInput={(address) => set({ address })}
            placeholder="ip or ip:port"
          />
          <Field
            label="Identity"
            value={draft.identity}
            onInput={(identity) => set({ identity })}
            placeholder="spiffe://…"
          />
          <Field
            label="Lasted at least"
            value={draft.older}
            onInput={(older) => set({ older })}
            placeholder="500ms, 30s, 5m"
          />
          <Choice
            label="Dry runs"
            value={draft.dryrun}
            options={[["", "all flows"], ["true", "a dry run would decide"]]}
            onChange={(dryrun) => choose({ dryrun })}
          />
        </>
      )}
      <div class="filter-buttons">
        <button type="submit" class="button primary">Apply</button>
        {conditions(query) > 0 && (
          <button type="button" class="button" onClick={() => onChange(ANY_FLOW)}>
            Clear
          </button>
        )}
        <button type="button" class="button" aria-expanded={isLong} onClick={() => setLong(!isLong)}>
          {isLong ? "Fewer" : "More"}
        </button>
      </div>
    </form>
  );
}

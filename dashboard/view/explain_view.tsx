/** Where would a connection go, and may it? */
import { useState } from "preact/hooks";
import { formatAddress } from "../state/page_address.ts";
import type { Pods } from "../state/wire.ts";
import { ExplainResult } from "./explain_result.tsx";
import { Card, Empty, Field } from "./parts.tsx";
import { useJson } from "./use_json.ts";

/** The form, and the answer for what the address of the page asks. */
export function ExplainView({ parameters }: { parameters: URLSearchParams }) {
  const asked = { from: parameters.get("from") ?? "", to: parameters.get("to") ?? "" };
  const { data } = useJson<Pods>("pods", 60_000);
  return (
    <>
      <ExplainForm key={`${asked.from} ${asked.to}`} {...asked} />
      <datalist id="pods">
        {data?.pods.map(({ uid, namespace, name }) => <option key={uid ?? name} value={`${namespace}/${name}`} />)}
      </datalist>
      {asked.from === "" || asked.to === ""
        ? (
          <Empty title="Ask about a connection">
            The way it would take appears here, with each decision and its reason: route, waypoint, transport, policies.
            The answer is what this proxy does now; nothing is sent.
          </Empty>
        )
        : (
          <Card title={`${asked.from} → ${asked.to}`}>
            <ExplainResult key={`${asked.from} ${asked.to}`} {...asked} />
          </Card>
        )}
    </>
  );
}

function ExplainForm(asked: { from: string; to: string }) {
  const [from, setFrom] = useState(asked.from), [to, setTo] = useState(asked.to);
  return (
    <form
      class="filter explain-form"
      onSubmit={(event) => {
        event.preventDefault();
        location.hash = formatAddress("explain", { from: from.trim(), to: to.trim() });
      }}
    >
      <Field label="From" value={from} onInput={setFrom} placeholder="namespace/name or address" list="pods" required />
      <Field
        label="To"
        value={to}
        onInput={setTo}
        placeholder="hostname:port, namespace/service:port or ip:port"
        required
      />
      <div class="filter-buttons">
        <button type="submit" class="button primary">Explain</button>
      </div>
    </form>
  );
}

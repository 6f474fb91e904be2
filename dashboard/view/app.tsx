/** The whole page: tabs, head, and the view that the address names. */
import { useEffect, useState } from "preact/hooks";
import { formatAddress, parseAddress, type View } from "../state/page_address.ts";
import { eventRate, NO_SAMPLES, type Samples, withSample } from "../state/samples.ts";
import type { Hour, NodeInfo } from "../state/wire.ts";
import { CertificatesView } from "./certificates_view.tsx";
import { ExplainView } from "./explain_view.tsx";
import { FlowsView } from "./flows_view.tsx";
import { Head } from "./head.tsx";
import { MapView } from "./map_view.tsx";
import { MeshView } from "./mesh_view.tsx";
import { NodeView } from "./node_view.tsx";
import { PodsView } from "./pods_view.tsx";
import { PoliciesView } from "./policies_view.tsx";
import { Tabs } from "./tabs.tsx";
import { useJson } from "./use_json.ts";
import { type StreamEvent, useStream } from "./use_stream.ts";
import { useTheme } from "./use_theme.ts";

/** ms without a sample after which the connection counts as lost; one comes each five seconds. */
const SILENCE = 16_000;

/** The page. */
export function App() {
  const { view, parameters } = useAddress();
  const { theme, isDark, toggle } = useTheme();
  const [samples, setSamples] = useState<Samples>(NO_SAMPLES);
  const link = useStream("samples", {
    types: ["hour"],
    silence: SILENCE,
    onEvents: (events) => setSamples((last) => events.reduce(withEvent, last)),
  });
  const { data: node } = useJson<NodeInfo>("node", 5000);
  useEffect(() => void (document.title = node === null ? "ztunnel" : `${node.name || "ztunnel"} – ztunnel`), [
    node?.name,
  ]);
  return (
    <div class="frame">
      <a class="skip" href="#main" onClick={skip}>Skip to the content</a>
      <Tabs view={view} node={node} onChoose={(next) => location.hash = formatAddress(next)} />
      <div class="content">
        <Head {...{ node, link, theme, toggle }} />
        <main>
          <div id="main" role="tabpanel" aria-labelledby={`tab-${view}`} tabIndex={-1}>
            {viewOf(view, parameters, samples, node, isDark)}
          </div>
        </main>
      </div>
    </div>
  );
}

function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function viewOf(view: View, parameters: URLSearchParams, samples: Samples, node: NodeInfo | null, isDark: boolean) {
  switch (view) {
    case "node":
      return <NodeView {...{ samples, isDark }} />;
    case "map":
      return <MapView />;
    case "flows":
      return <FlowsView parameters={parameters} eventRate={eventRate(samples)} />;
    case "pods":
      return <PodsView />;
    case "certificates":
      return <CertificatesView now={node?.time ?? Date.now()} />;
    case "policies":
      return <PoliciesView />;
    case "mesh":
      return <MeshView node={node} />;
    case "explain":
      return <ExplainView parameters={parameters} />;
    default:
      return view satisfies never;
  }
}

function withEvent(last: Samples, { type, data }: StreamEvent): Samples {
  return type === "hour" ? JSON.parse(data) as Hour : withSample(last, JSON.parse(data) as number[]);
}

function useAddress() {
  const [address, setAddress] = useState(() => parseAddress(location.hash));
  useEffect(() => {
    const changed = () => setAddress(parseAddress(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return address;
}

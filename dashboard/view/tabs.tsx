/** The views as tabs: arrow keys choose, as in other programs. */
import { useEffect } from "preact/hooks";
import { type View, viewByKey, VIEWS } from "../state/page_address.ts";
import type { NodeInfo } from "../state/wire.ts";

const TITLES: Readonly<Record<View, string>> = {
  node: "Node",
  map: "Service map",
  flows: "Flows",
  pods: "Pods",
  certificates: "Certificates",
  policies: "Policies",
  mesh: "Mesh",
  explain: "Explain",
};

/** Lines on a square of 16. */
const ICONS: Readonly<Record<View, string>> = {
  node: "M1.5 8h3l2-5 3 10 2-5h3",
  map: "M4 4.5 8 8m0 0 4-3.5M8 8v4M2.5 3h2v2h-2zM11.5 3h2v2h-2zM7 12h2v2H7z",
  flows: "M2 4h9M8.5 1.5 11 4 8.5 6.5M14 12H5m2.5-2.5L5 12l2.5 2.5",
  pods: "M8 1.5 14 5v6l-6 3.5L2 11V5zM2 5l6 3.5L14 5M8 8.5v6",
  certificates: "M3 2h10v8H3zM5.5 5h5M5.5 7.5h3M8 10v4l1.5-1L11 14v-4",
  policies: "M8 1.5 13.5 4v4c0 3.2-2.2 5.4-5.5 6.5C4.7 13.400 2.500 11.200 2.500 8V4zM5.500 8l2 2 3-3.500",
  mesh: "M8 2v3M8 11v3M2 8h3m6 0h3M5 5h6v6H5z",
  explain:
    "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM6.300 6.300c0-2.300 3.600-2.200 3.400 0C9.600 7.500 8 7.600 8 9.200M8 11.300v.2",
};

/** The tabs. */
export function Tabs({ view, node, onChoose }: { view: View; node: NodeInfo | null; onChoose: (view: View) => void }) {
  // On a narrow page the tabs scroll sideways.
  useEffect(() => document.getElementById(`tab-${view}`)?.scrollIntoView({ block: "nearest", inline: "center" }), [
    view,
  ]);
  const byKey = (event: KeyboardEvent) => {
    const next = viewByKey(view, event.key);
    if (next === null) return;
    event.preventDefault();
    onChoose(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <nav class="side" aria-label="Views">
      <p class="brand">
        <svg viewBox="0 0 16 16" width="20" height="20" aria-hidden="true">
          <rect width="16" height="16" rx="4" />
          <path d="M3.500 5h9L3.500 11h9" />
        </svg>
        ztunnel
      </p>
      <div class="tabs" role="tablist" aria-orientation="vertical" onKeyDown={byKey}>
        {VIEWS.map((one) => (
          <button
            key={one}
            type="button"
            role="tab"
            id={`tab-${one}`}
            aria-selected={one === view}
            aria-controls="main"
            tabIndex={one === view ? 0 : -1}
            onClick={() => onChoose(one)}
          >
            <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
              <path d={ICONS[one]} />
            </svg>
            <span>{TITLES[one]}</span>
            <Alert view={one} node={node} />
          </button>
        ))}
      </div>
      <p class="side-foot">
        <a href="routes">All routes</a>
      </p>
    </nav>
  );
}

/** How many problems a view shows. */
function Alert({ view, node }: { view: View; node: NodeInfo | null }) {
  const problems = node === null ? 0 : problemsOf(view, node);
  return problems === 0 ? null : <b class="alert" title="problems">{problems}</b>;
}

function problemsOf(view: View, { certificates, pods, controlPlane, authority }: NodeInfo): number {
  switch (view) {
    case "certificates":
      return certificates.failing;
    case "pods":
      return pods.differences;
    case "mesh":
      return Number(controlPlane !== null && controlPlane.state === "waiting") + Number(authority.awaySince !== null);
    default:
      return 0;
  }
}

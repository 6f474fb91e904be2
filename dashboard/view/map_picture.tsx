/** The picture of the service map. */
import { useMemo } from "preact/hooks";
import { count, decimal } from "../state/format.ts";
import { type Graph, type GraphEdge, type GraphNode, isFailing } from "../state/graph.ts";
import { edgeKey, type Layout, layoutOf, NODE_HEIGHT, NODE_WIDTH } from "../state/layout.ts";

interface PictureProps {
  readonly graph: Graph;
  /** Id of a node; null: none. */
  readonly selected: string | null;
  readonly onSelect: (id: string | null) => void;
}

/** Characters of a name that fit. */
const NAME_MAX = 20;

/** The picture. A selected node leaves only its neighbours bright. */
export function MapPicture({ graph, selected, onSelect }: PictureProps) {
  // The layout depends on who talks to whom only, so that it stays while the figures change.
  const shape = graph.edges.map(({ from, to }) => `${from}>${to}`).sort().join(" ");
  const layout = useMemo(() => layoutOf(graph.nodes.map(({ id }) => id), graph.edges), [shape]);
  const isNear = (id: string) =>
    selected === null || id === selected ||
    graph.edges.some(({ from, to }) => from === selected && to === id || to === selected && from === id);
  const busiest = Math.max(0, ...graph.edges.map(weightOf));
  const label = `${count(graph.nodes.length)} nodes, ${
    count(graph.edges.length)
  } connections between them; the table below says the same`;
  return (
    <div class="map-scroll" tabIndex={0} role="region" aria-label="Picture of the service map">
      <svg
        class="map"
        // A picture that is a little too wide becomes smaller; beyond that it scrolls.
        style={{ width: `min(${layout.width}px, 100%)`, minWidth: `${Math.round(layout.width * 0.72)}px` }}
        viewBox={`0 0 ${layout.width} ${layout.height}`}
        role="group"
        aria-label={label}
      >
        <Arrows />
        {graph.edges.map((edge) => (
          <Edge
            key={`${edge.from} ${edge.to} ${edge.mutualTls}`}
            edge={edge}
            layout={layout}
            busiest={busiest}
            isDim={selected !== null && edge.from !== selected && edge.to !== selected}
          />
        ))}
        {graph.nodes.map((node) => {
          const at = layout.nodes.get(node.id);
          return at === undefined ? null : (
            <Node
              key={node.id}
              node={node}
              at={at}
              isSelected={node.id === selected}
              isDim={!isNear(node.id)}
              onSelect={() => onSelect(node.id === selected ? null : node.id)}
            />
          );
        })}
      </svg>
    </div>
  );
}

function Arrows() {
  return (
    <defs>
      {["secure", "plain", "failing"].map((kind) => (
        <marker
          key={kind}
          id={`arrow-${kind}`}
          viewBox="0 0 8 8"
          refX="7"
          refY="4"
          markerWidth="7"
          markerHeight="7"
          markerUnits="userSpaceOnUse"
          orient="auto"
        >
          <path class={`arrow-head ${kind}`} d="M0 0.8 7.5 4 0 7.2z" />
        </marker>
      ))}
    </defs>
  );
}

function weightOf({ rate, opened }: GraphEdge): number {
  return Math.log1p(rate ?? opened);
}

function Edge({ edge, layout, busiest, isDim }: { edge: GraphEdge; layout: Layout; busiest: number; isDim: boolean }) {
  const path = layout.paths.get(edgeKey(edge.from, edge.to));
  if (path === undefined) return null;
  const kind = isFailing(edge) ? "failing" : edge.mutualTls ? "secure" : "plain";
  const width = 1.25 + 2 * (busiest === 0 ? 0 : weightOf(edge) / busiest);
  const rate = edge.rate === null ? `${count(edge.opened)} so far` : `${decimal(edge.rate)} per second`;
  return (
    <path
      class={`edge ${kind}${edge.mutualTls ? "" : " dashed"}${isDim ? " dim" : ""}`}
      d={path}
      // Beside the secure edge of the same pair.
      transform={edge.mutualTls ? undefined : "translate(0 5)"}
      stroke-width={width}
      marker-end={`url(#arrow-${kind})`}
    >
      <title>
        {`${edge.from} → ${edge.to}: ${rate}, ${edge.mutualTls ? "mutual TLS" : "plain"}, ${
          count(edge.denied)
        } refused, ${count(edge.failed)} failed`}
      </title>
    </path>
  );
}

function Node(
  { node, at, isSelected, isDim, onSelect }: {
    node: GraphNode;
    at: { readonly x: number; readonly y: number };
    isSelected: boolean;
    isDim: boolean;
    onSelect: () => void;
  },
) {
  const { name, group, kind } = node;
  const choose = (event: KeyboardEvent) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    onSelect();
  };
  return (
    <g
      class={`node ${kind}${isSelected ? " selected" : ""}${isDim ? " dim" : ""}`}
      transform={`translate(${at.x} ${at.y})`}
      // In SVG the names of attributes have lower case.
      tabindex={0}
      role="button"
      aria-pressed={isSelected}
      aria-label={`${group} ${name}: show only what it talks to`}
      onClick={onSelect}
      onKeyDown={choose}
    >
      <title>{`${group}/${name}`}</title>
      <rect width={NODE_WIDTH} height={NODE_HEIGHT} rx="6" />
      <text class="node-group" x="10" y="15">{short(group)}</text>
      <text class="node-name" x="10" y="31">{short(name)}</text>
    </g>
  );
}

function short(text: string): string {
  return text.length <= NAME_MAX ? text : `${text.slice(0, NAME_MAX - 1)}…`;
}

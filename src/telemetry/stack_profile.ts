/** Profiles as trees of stacks, made of what the engine's profilers report. */

/** A function in a source file. */
interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  /** Begins at 0; -1: none. */
  readonly lineNumber: number;
}

/** A node of the tree of stacks. */
export interface StackNode {
  readonly id: number;
  readonly callFrame: CallFrame;
  /** The number of samples with this frame as the innermost one. */
  readonly count: number;
  /** The bytes that these samples stand for; 0 in a profile of running code. */
  readonly bytes: number;
  readonly children: readonly number[];
}

/** The nodes of a profile; the first one is the root. */
export type StackProfile = readonly StackNode[];

/** A node as the engine's profiler of running code reports it. */
export interface RawHitNode {
  readonly id: number;
  readonly callFrame: CallFrame;
  readonly hitCount?: number;
  readonly children?: readonly number[];
}

/** Nodes and samples as the engine's profiler of allocations reports them. */
export interface RawHeapProfile {
  readonly head: RawHeapNode;
  readonly samples: readonly { readonly nodeId: number }[];
}

interface RawHeapNode {
  readonly id: number;
  readonly callFrame: CallFrame;
  readonly selfSize: number;
  readonly children: readonly RawHeapNode[];
}

/** The profile of running code. */
export function stacksOfCpu(nodes: readonly RawHitNode[]): StackProfile {
  return nodes.map(({ id, callFrame, hitCount = 0, children = [] }) => ({
    id,
    callFrame: frameOf(callFrame),
    count: hitCount,
    bytes: 0,
    children,
  }));
}

/** The profile of allocations. */
export function stacksOfHeap({ head, samples }: RawHeapProfile): StackProfile {
  const counts = new Map<number, number>();
  for (const { nodeId } of samples) counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1);
  const nodes: StackNode[] = [];
  const left = [head];
  for (let node = left.pop(); node !== undefined; node = left.pop()) {
    const { id, callFrame, selfSize, children } = node;
    const count = counts.get(id) ?? 0;
    nodes.push({ id, callFrame: frameOf(callFrame), count, bytes: selfSize, children: children.map(({ id }) => id) });
    for (const child of children) left.push(child);
  }
  return nodes;
}

/** Without what only the engine needs: profiles are sent between isolates. */
function frameOf({ functionName, url, lineNumber }: CallFrame): CallFrame {
  return { functionName, url, lineNumber };
}

/** Sorts in steps: sorting 100,000 workloads at once would block the loop for too long. */
import { PAUSE } from "./json.ts";

/** Items sorted in one step, which takes about a quarter of a millisecond. */
const RUN = 512;

/** A sorted part of the items, and the position of the next one to yield. */
interface Run<T> {
  readonly items: readonly { readonly key: string; readonly item: T }[];
  /** Position among the runs, to keep equal keys in their original order. */
  readonly number: number;
  next: number;
}

/**
 * `items` sorted by key; the sort is stable. Yields a pause after each step of work without a result.
 */
export function* inOrder<T>(items: readonly T[], keyOf: (item: T) => string): Generator<T | typeof PAUSE> {
  const runs: Run<T>[] = [];
  for (let from = 0; from < items.length; from += RUN) {
    const part = items.slice(from, from + RUN).map((item) => ({ key: keyOf(item), item }));
    part.sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
    runs.push({ items: part, number: runs.length, next: 0 });
    yield PAUSE;
  }
  yield* merge(runs);
}

/** Merges the runs with a heap: the run with the smallest next item is on top. */
function* merge<T>(heap: Run<T>[]): Generator<T> {
  for (let i = heap.length >> 1; i >= 0; i--) siftDown(heap, i);
  while (heap.length > 0) {
    const top = heap[0]!;
    yield top.items[top.next++]!.item;
    if (top.next === top.items.length) {
      const last = heap.pop()!;
      if (heap.length === 0) return;
      if (last !== top) heap[0] = last;
    }
    siftDown(heap, 0);
  }
}

function siftDown<T>(heap: Run<T>[], at: number): void {
  for (;;) {
    const left = 2 * at + 1;
    let least = at;
    if (left < heap.length && isBefore(heap[left]!, heap[least]!)) least = left;
    if (left + 1 < heap.length && isBefore(heap[left + 1]!, heap[least]!)) least = left + 1;
    if (least === at) return;
    [heap[at], heap[least]] = [heap[least]!, heap[at]!];
    at = least;
  }
}

function isBefore<T>(a: Run<T>, b: Run<T>): boolean {
  const [x, y] = [a.items[a.next]!.key, b.items[b.next]!.key];
  return x < y || (x === y && a.number < b.number);
}

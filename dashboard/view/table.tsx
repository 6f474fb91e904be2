/** A table whose columns sort, and that shows its rows a page at a time. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { count } from "../state/format.ts";
import { nextSorting, sorted, type Sorting } from "../state/sorting.ts";

/** A column. */
export interface Column<Row> {
  readonly id: string;
  readonly title: string;
  readonly show: (row: Row) => ComponentChildren;
  /** What the column sorts by; absent: it does not sort. */
  readonly value?: (row: Row) => string | number;
  readonly isNumber?: boolean;
  /** Left out where there is little room. */
  readonly isMinor?: boolean;
}

const PAGE = 100;

/** The table. `caption`: for those who do not see it. */
export function Table<Row>(
  { caption, rows, columns, keyOf }: {
    caption: string;
    rows: readonly Row[];
    columns: readonly Column<Row>[];
    keyOf: (row: Row) => string;
  },
) {
  const [sorting, setSorting] = useState<Sorting<string> | null>(null);
  const [most, setMost] = useState(PAGE);
  const by = columns.find(({ id }) => id === sorting?.column)?.value;
  const inOrder = by === undefined ? rows : sorted(rows, by, sorting!.isDescending);
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label={caption}>
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>{columns.map((column) => <Head key={column.id} {...{ column, sorting, setSorting }} />)}</tr>
        </thead>
        <tbody>
          {inOrder.slice(0, most).map((row) => (
            <tr key={keyOf(row)}>
              {columns.map((column) => <td key={column.id} class={classOf(column)}>{column.show(row)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > most && (
        <button type="button" class="more" onClick={() => setMost(most + PAGE)}>
          Show {count(Math.min(PAGE, rows.length - most))} more of {count(rows.length - most)}
        </button>
      )}
    </div>
  );
}

function Head<Row>(
  { column, sorting, setSorting }: {
    column: Column<Row>;
    sorting: Sorting<string> | null;
    setSorting: (sorting: Sorting<string>) => void;
  },
) {
  const isSorted = sorting?.column === column.id;
  const direction = !isSorted ? "none" : sorting.isDescending ? "descending" : "ascending";
  if (column.value === undefined) return <th class={classOf(column)} scope="col">{column.title}</th>;
  return (
    <th class={classOf(column)} scope="col" aria-sort={direction}>
      <button type="button" onClick={() => setSorting(nextSorting(sorting, column.id, column.isNumber === true))}>
        {column.title}
        <span class="arrow" aria-hidden="true">{!isSorted ? "" : sorting.isDescending ? "↓" : "↑"}</span>
      </button>
    </th>
  );
}

function classOf<Row>({ isNumber, isMinor }: Column<Row>): string {
  return `${isNumber ? "number" : ""}${isMinor ? " minor" : ""}`;
}

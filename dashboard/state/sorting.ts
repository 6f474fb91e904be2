/** Sorting of tables. */

/** The column, and the direction. */
export interface Sorting<Column extends string> {
  readonly column: Column;
  readonly isDescending: boolean;
}

/** After a click on the head of a column: numbers begin with the largest, texts with the first. */
export function nextSorting<Column extends string>(
  sorting: Sorting<Column> | null,
  column: Column,
  isNumber: boolean,
): Sorting<Column> {
  if (sorting?.column === column) return { column, isDescending: !sorting.isDescending };
  return { column, isDescending: isNumber };
}

/** A sorted copy; rows with equal values keep their order. */
export function sorted<Row>(
  rows: readonly Row[],
  value: (row: Row) => string | number,
  isDescending: boolean,
): readonly Row[] {
  const sign = isDescending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const left = value(a), right = value(b);
    return left === right ? 0 : left < right ? -sign : sign;
  });
}

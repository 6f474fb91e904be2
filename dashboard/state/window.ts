/** Which rows of a long list are in the document: those that can be seen, and some around them. */

/** A part of a list. `before`, `after`: px of the rows that are left out. */
interface ListWindow {
  readonly first: number;
  /** Behind the last one. */
  readonly end: number;
  readonly before: number;
  readonly after: number;
}

/** Rows beyond the edges, so that scrolling shows no gap. */
const MARGIN = 8;

/** The rows to show. `scrolled`, `visible`, `height`: px of the scroll position, of the part that is seen, of a row. */
export function listWindow(rows: number, scrolled: number, visible: number, height: number): ListWindow {
  const top = Math.max(0, Math.min(scrolled, rows * height - visible));
  const first = Math.max(0, Math.floor(top / height) - MARGIN);
  const end = Math.min(rows, Math.ceil((top + visible) / height) + MARGIN);
  return { first, end, before: first * height, after: (rows - end) * height };
}

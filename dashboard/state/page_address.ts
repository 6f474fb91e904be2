/** The part of the address behind `#`: the view, and what it shows. */

/** The views, in the order of the tabs. */
export const VIEWS = [
  "node",
  "map",
  "flows",
  "pods",
  "certificates",
  "policies",
  "mesh",
  "explain",
] as const;
/** Name of a view. */
export type View = typeof VIEWS[number];

/** A place on the page. */
interface PageAddress {
  readonly view: View;
  readonly parameters: URLSearchParams;
}

/** Reads `#flows?namespace=shop`; an unknown view is the first one. */
export function parseAddress(hash: string): PageAddress {
  const [name = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const view = VIEWS.find((one) => one === name) ?? VIEWS[0];
  return { view, parameters: new URLSearchParams(query) };
}

/** The text for a link. Empty values are left out. */
export function formatAddress(view: View, parameters: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== "")).toString();
  return `#${view}${query === "" ? "" : `?${query}`}`;
}

/** The view that a key leads to from a tab; null: none. */
export function viewByKey(view: View, key: string): View | null {
  const at = VIEWS.indexOf(view), last = VIEWS.length - 1;
  switch (key) {
    case "ArrowRight":
    case "ArrowDown":
      return VIEWS[at === last ? 0 : at + 1]!;
    case "ArrowLeft":
    case "ArrowUp":
      return VIEWS[at === 0 ? last : at - 1]!;
    case "Home":
      return VIEWS[0];
    case "End":
      return VIEWS[last]!;
    default:
      return null;
  }
}

/**
 * The state of a connection to the proxy, and when it is tried again.
 *
 *     connecting ──open──▶ live ──broken──▶ lost ──after a pause──▶ connecting
 *          └──────────broken──────────────────┘
 */

/** `failures`: attempts in a row that have failed. */
export type Link =
  | { readonly state: "connecting"; readonly failures: number }
  | { readonly state: "live" }
  | { readonly state: "lost"; readonly failures: number; readonly since: number };

/** What has happened. `now`: ms since the epoch. */
export type LinkEvent =
  | { readonly kind: "open" }
  | { readonly kind: "broken"; readonly now: number }
  | { readonly kind: "retry" };

/** Before anything has happened. */
export const NEW_LINK: Link = { state: "connecting", failures: 0 };

/** The next state. */
export function nextLink(link: Link, event: LinkEvent): Link {
  switch (event.kind) {
    case "open":
      return link.state === "live" ? link : { state: "live" };
    case "broken":
      if (link.state === "lost") return link;
      return { state: "lost", failures: link.state === "live" ? 1 : link.failures + 1, since: event.now };
    case "retry":
      return link.state === "lost" ? { state: "connecting", failures: link.failures } : link;
    default:
      return event satisfies never;
  }
}

const FIRST_PAUSE = 500, LONGEST_PAUSE = 8_000;

/** ms before the next attempt. */
export function retryPause(failures: number): number {
  return Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.max(0, failures - 1));
}

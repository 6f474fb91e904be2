/** How listeners and their connections end (`docs/spec/dataplane.md` 5.4). */
import type { Millis } from "./clock.ts";

/** `graceful`: connections may continue for `deadline` ms. `immediate`: they end now, some in each turn. */
export type DrainMode = { readonly kind: "graceful"; readonly deadline: Millis } | { readonly kind: "immediate" };

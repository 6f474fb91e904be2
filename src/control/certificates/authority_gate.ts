/**
 * Decides when pods may be served: not before the certificate authority has answered. Until then this proxy could only
 * refuse their connections, and in a rollout the old proxy, which has certificates, would lose the pods to it.
 */
import type { Clock } from "../../net/clock.ts";

/** "limit": the authority has not answered within the limit. */
export type GateOutcome = "answered" | "limit";

/**
 * `connected`: resolves with the authority's first answer; null: there is no authority to wait for. `limit`: ms. Does
 * not reject.
 */
export function authorityGate(connected: Promise<void> | null, limit: number, clock: Clock): Promise<GateOutcome> {
  if (connected === null) return Promise.resolve("answered");
  const { promise, resolve } = Promise.withResolvers<GateOutcome>();
  const timer = clock.after(limit, () => resolve("limit"));
  void connected.then(() => {
    timer.cancel();
    resolve("answered");
  });
  return promise;
}

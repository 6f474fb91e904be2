/** How much of a certificate's life is left. */
import type { Certificate } from "./wire.ts";

/** `expired` includes certificates that there are not. */
export type LifeState = "good" | "renewing" | "late" | "expired";

/** A certificate at one moment. */
interface Life {
  /** 0 to 1 of its life. */
  readonly left: number;
  readonly state: LifeState;
}

/** The proxy renews at half of the life; one that is older than this was not renewed in time. */
const RENEWAL = 0.5, LATE = 0.3;

/** The life of a certificate. `now`: ms since the epoch. */
export function lifeOf({ notBefore, notAfter, failure }: Certificate, now: number): Life {
  if (notBefore === null || notAfter === null || now >= notAfter) return { left: 0, state: "expired" };
  const left = Math.min(1, (notAfter - now) / Math.max(1, notAfter - notBefore));
  if (left < LATE || failure !== null) return { left, state: "late" };
  return { left, state: left < RENEWAL ? "renewing" : "good" };
}

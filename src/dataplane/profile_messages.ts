/** Messages for the profiles of a worker. A part of `messages.ts`; plain data. */
import type { ProfileKind } from "../telemetry/profiler.ts";
import type { StackProfile } from "../telemetry/stack_profile.ts";

/** From main to a worker. */
export type ProfileOrder =
  /** `interval`: microseconds between two samples, or bytes. */
  | { readonly kind: "start"; readonly what: ProfileKind; readonly interval: number }
  /** Ends sampling; the answer has the samples. */
  | { readonly kind: "stop"; readonly request: number };

/** From a worker to main. */
export interface ProfileAnswer {
  readonly request: number;
  readonly profile: StackProfile;
}

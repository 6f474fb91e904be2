/** Messages for sampling the stacks of a worker. A part of `messages.ts`; plain data. */
import type { CpuProfile } from "../telemetry/cpu_profile.ts";

/** From main to a worker. */
export type ProfileOrder =
  /** `interval`: microseconds between two samples. */
  | { readonly kind: "start"; readonly interval: number }
  /** Ends sampling; the answer has the samples. */
  | { readonly kind: "stop"; readonly request: number };

/** From a worker to main. */
export interface ProfileAnswer {
  readonly request: number;
  readonly profile: CpuProfile;
}

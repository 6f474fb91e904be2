/** Sampling the stacks of a worker. A part of `messages.ts`; plain data. */
import type { CpuProfile } from "../telemetry/cpu_profile.ts";

export type ProfileOrder =
  /** `interval`: microseconds between two samples. */
  | { readonly kind: "start"; readonly interval: number }
  /** Answered with what was sampled. */
  | { readonly kind: "stop"; readonly request: number };

export interface ProfileAnswer {
  readonly request: number;
  readonly profile: CpuProfile;
}

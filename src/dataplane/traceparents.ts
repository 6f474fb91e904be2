/** Makes the `traceparent` of connections whose trace begins here. */
import type { Config } from "../config/config.ts";
import { newTraceparent } from "../mesh/headers/traceparent.ts";
import { NO_TRACES, traceSampler } from "../telemetry/trace_sampling.ts";

/** What it needs of the data plane. */
interface TraceParts {
  readonly config: Pick<Config, "otlp">;
  readonly fillRandom: (bytes: Uint8Array<ArrayBuffer>) => void;
}

/** Each call returns a new header value. A trace is flagged as sampled only where this proxy exports spans. */
export function traceparents({ config: { otlp }, fillRandom }: TraceParts): () => string {
  const isSampled = otlp === null || otlp.traces === null ? NO_TRACES : traceSampler(otlp.sampler.ratio);
  return () => newTraceparent(fillRandom, isSampled);
}

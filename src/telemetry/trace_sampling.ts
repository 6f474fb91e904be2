/**
 * Which traces are sampled (OpenTelemetry's `TraceIdRatioBased`). The decision depends on the trace id alone, so every
 * isolate and every proxy with the same ratio makes the same one.
 */

/** Decides about a trace that begins here. `id`: 32 hexadecimal digits. */
export type SampleTrace = (id: string) => boolean;

/** No trace is sampled. */
export const NO_TRACES: SampleTrace = () => false;

/** Samples the part `ratio` of the traces, from 0 to 1, by the last 52 bits of the id, which are random. */
export function traceSampler(ratio: number): SampleTrace {
  if (ratio <= 0) return NO_TRACES;
  if (ratio >= 1) return () => true;
  const limit = ratio * 2 ** 52;
  return (id) => Number.parseInt(id.slice(-13), 16) < limit;
}

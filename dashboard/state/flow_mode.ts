/**
 * How the page gets flows. Each event that is followed costs the proxy some time, so beyond a rate the page asks for the
 * last endings every two seconds instead, which costs the same however much happens.
 */

/** `follow`: each event as it happens. `poll`: the last endings, again and again. */
export type FlowMode = "follow" | "poll";

/** Events per second. The second one is lower, so that the mode does not change back and forth. */
const TOO_MANY = 200, FEW = 100;

/** The mode for this rate of events, after `mode`. */
export function flowMode(mode: FlowMode, perSecond: number): FlowMode {
  if (mode === "follow") return perSecond > TOO_MANY ? "poll" : "follow";
  return perSecond < FEW ? "follow" : "poll";
}

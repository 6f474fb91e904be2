/** One line for each event of a flow, as `ztunnel observe` prints it. */
import type { Flow, FlowEvent } from "../telemetry/flow.ts";

/** Escape sequences for terminals (ECMA-48 8.3.117). */
const COLOURS = { ok: "32", denied: "33", failed: "31", quiet: "2" } as const;

/** `12:00:00.123 outbound shop/front -> shop/cart 10.2.0.10:80 ended ok 1.2KB/40B 1.5s fin by client`. */
export function eventText(event: FlowEvent, isColoured: boolean): string {
  const paint = (text: string, colour: keyof typeof COLOURS) =>
    isColoured ? `\x1b[${COLOURS[colour]}m${text}\x1b[0m` : text;
  const parts = [
    paint(event.time.slice(11, 23), "quiet"),
    event.direction.padEnd(8),
    visible(`${nameOf(event.source)} -> ${destinationOf(event)}`),
    event.event.padEnd(7),
  ];
  if (event.event !== "opened") parts.push(paint(event.verdict, event.verdict), ...outcomeOf(event));
  parts.push(paint(transportOf(event), "quiet"));
  return parts.filter((part) => part !== "").join(" ");
}

function nameOf({ address, workload, namespace, identity }: Flow["source"]): string {
  if (workload !== null) return `${namespace}/${workload}`;
  return identity === null ? address : `${identity} (${address})`;
}

/** The workload, and what the client asked for. */
function destinationOf({ destination, service, target }: Flow): string {
  const workload = destination.workload === null ? "" : `${nameOf(destination)} `;
  return `${workload}${service === null ? target : `${service} (${target})`}`;
}

function outcomeOf({ ending, error, verdict, decision, bytesSent, bytesReceived, age }: FlowEvent): string[] {
  return [
    `${size(bytesSent)}/${size(bytesReceived)}`,
    duration(age),
    ending === null ? "" : `${ending.how} by ${ending.by} in ${ending.phase}`,
    error === null ? "" : visible(`: ${error}`),
    verdict === "denied" && decision !== null ? `[${decision}]` : "",
  ];
}

/** An HBONE connection that is not made yet, or could not be made, has no TLS session. */
function transportOf({ tls, protocol, id }: FlowEvent): string {
  return `${tls?.version ?? (protocol === "HBONE" ? protocol : "plain")} ${id.slice(0, 8)}`;
}

/** Names and errors may come from peers, which must not control the terminal. */
function visible(text: string): string {
  return text.replace(/[\p{Control}\p{Bidi_Control}]/gu, "?");
}

const SIZES = ["B", "KB", "MB", "GB", "TB"];

function size(bytes: number): string {
  let value = bytes, unit = 0;
  for (; value >= 1000 && unit < SIZES.length - 1; unit++) value /= 1000;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)}${SIZES[unit]}`;
}

function duration(millis: number): string {
  if (millis < 1000) return `${millis}ms`;
  if (millis < 60_000) return `${(millis / 1000).toFixed(1)}s`;
  return `${Math.floor(millis / 60_000)}m${Math.floor(millis / 1000) % 60}s`;
}

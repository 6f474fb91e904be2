/** What every chapter about pods has: the cluster, where to print, and how. */
import type { BedNode, BedPod, Cluster } from "../tests/bed/cluster.ts";
import type { Claims } from "./claims.ts";
import type { LogLine } from "./log_line.ts";
import { type Terminal, wrap } from "./terminal.ts";

export const PODS = [
  { name: "client", node: 1 },
  { name: "near", node: 1, serves: true },
  { name: "far", node: 2, serves: true },
  { name: "strict", node: 2, strict: true },
] as const;
export type PodName = typeof PODS[number]["name"];

export interface PodsStage {
  readonly cluster: Cluster;
  readonly terminal: Terminal;
  readonly claims: Claims;
  pod(name: PodName): BedPod;
}

export function podsHeading({ terminal }: PodsStage, text: string): void {
  terminal.say();
  terminal.say(terminal.bold(text));
}

/** A command and what it printed. */
export function showCommand({ terminal }: PodsStage, command: string, output: string): void {
  terminal.say(`   ${terminal.dim(`$ ${command}`)}`);
  for (const line of output.trimEnd().split("\n")) terminal.say(`   ${line}`);
}

/** The words of a log line that begin with these names. */
export function showWords(
  { terminal }: PodsStage,
  node: BedNode,
  { message, words }: LogLine,
  names: readonly string[],
) {
  const margin = `   ${node.name}  `;
  const picked = words.filter((word) => names.includes(word.split("=", 1)[0] ?? ""));
  wrap([`${message}:`, ...picked], terminal.width - margin.length).forEach((row, index) => {
    terminal.say((index === 0 ? terminal.bold(margin) : " ".repeat(margin.length)) + row);
  });
}

/** The node's access line with all of `words`. */
export function accessLine(node: BedNode, ...words: readonly string[]): Promise<LogLine> {
  const escaped = words.map((word) => `(?=.*${word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")})`);
  return node.proxy.line(new RegExp(`\\baccess\\b${escaped.join("")}`));
}

/** What every chapter about pods has: the cluster, where to print, and how. */
import type { Stage } from "../lab/bed/apps.ts";
import type { Namespace } from "../lab/namespace.ts";
import type { Proxy } from "../lab/proxy.ts";
import type { Claims } from "./claims.ts";
import type { LogLine } from "../lab/log_line.ts";
import { type Terminal, wrap } from "./terminal.ts";

export const PODS = [
  { name: "client", node: 1 },
  { name: "near", node: 1, serves: true },
  { name: "far", node: 2, serves: true },
  { name: "strict", node: 2, strict: true },
] as const;
export type PodName = typeof PODS[number]["name"];

interface DemoNode {
  readonly name: string;
  readonly namespace: Namespace;
  readonly ip: string;
  /** The one that started last. */
  readonly proxy: Proxy;
}

export interface DemoPod {
  readonly name: string;
  readonly node: DemoNode;
  readonly namespace: Namespace;
  readonly ip: string;
  readonly ip6: string;
  /** The node's agent hands it to the proxy, or takes it as ended. */
  enroll(): Promise<void>;
  dismiss(): Promise<void>;
}

/** Two nodes with their pods, whoever plays their agent and their control plane. */
export interface DemoCluster extends Stage, AsyncDisposable {
  readonly nodes: readonly DemoNode[];
  readonly pods: readonly DemoPod[];
  readonly outside: { readonly namespace: Namespace; readonly ip: string };
  pod(name: string): DemoPod;
  podsOf(node: DemoNode): readonly DemoPod[];
  /** Another proxy for the node, ready. The one before goes on. */
  startProxy(node: DemoNode): Promise<void>;
}

export interface PodsStage {
  readonly cluster: DemoCluster;
  /** Who plays agents and control plane. */
  readonly by: string;
  /** What the node's agent does with a new pod. */
  readonly agent: string;
  readonly terminal: Terminal;
  readonly claims: Claims;
  pod(name: PodName): DemoPod;
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
  node: DemoNode,
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
export function accessLine(node: DemoNode, ...words: readonly string[]): Promise<LogLine> {
  const escaped = words.map((word) => `(?=.*${word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")})`);
  return node.proxy.line(new RegExp(`\\baccess\\b${escaped.join("")}`));
}

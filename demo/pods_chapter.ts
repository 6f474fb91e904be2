/** What the chapters about pods have in common: the cluster, the terminal, and how to print. */
import type { Stage } from "../lab/bed/apps.ts";
import type { Namespace } from "../lab/namespace.ts";
import type { Proxy } from "../lab/proxy.ts";
import type { Claims } from "./claims.ts";
import type { LogLine } from "../lab/log_line.ts";
import { type Terminal, wrap } from "./terminal.ts";

/** The pods. */
export const PODS = [
  { name: "client", node: 1 },
  { name: "near", node: 1, serves: true },
  { name: "far", node: 2, serves: true },
  { name: "strict", node: 2, strict: true },
] as const;

/** Name of a pod. */
export type PodName = typeof PODS[number]["name"];

/** A node. */
interface DemoNode {
  readonly name: string;
  readonly namespace: Namespace;
  readonly ip: string;
  /** The proxy that was started last. */
  readonly proxy: Proxy;
}

/** A pod. */
export interface DemoPod {
  readonly name: string;
  readonly node: DemoNode;
  readonly namespace: Namespace;
  readonly ip: string;
  readonly ip6: string;
  /** Lets the node's agent hand the pod to the proxy, or report its end. */
  enroll(): Promise<void>;
  dismiss(): Promise<void>;
}

/** Two nodes with their pods; agent and control plane are real or simulated. */
export interface DemoCluster extends Stage, AsyncDisposable {
  readonly nodes: readonly DemoNode[];
  readonly pods: readonly DemoPod[];
  readonly outside: { readonly namespace: Namespace; readonly ip: string };
  pod(name: string): DemoPod;
  podsOf(node: DemoNode): readonly DemoPod[];
  /** Starts another proxy for the node and waits until it is ready. The previous one goes on. */
  startProxy(node: DemoNode): Promise<void>;
}

/** What a chapter needs. */
export interface PodsContext {
  readonly cluster: DemoCluster;
  /** What agents and control plane are. */
  readonly by: string;
  /** What the node's agent does with a new pod, in words. */
  readonly agent: string;
  readonly terminal: Terminal;
  readonly claims: Claims;
  pod(name: PodName): DemoPod;
}

/** Prints the heading of a chapter. */
export function podsHeading({ terminal }: PodsContext, text: string): void {
  terminal.say();
  terminal.say(terminal.bold(text));
}

/** Prints a command and its output. */
export function showCommand({ terminal }: PodsContext, command: string, output: string): void {
  terminal.say(`   ${terminal.dim(`$ ${command}`)}`);
  for (const line of output.trimEnd().split("\n")) terminal.say(`   ${line}`);
}

/** Prints the words of a log line that begin with these names. */
export function showWords(
  { terminal }: PodsContext,
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

/** Waits for an access log line of the node's proxy with all of `words`. */
export function accessLine(node: DemoNode, ...words: readonly string[]): Promise<LogLine> {
  const escaped = words.map((word) => `(?=.*${word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")})`);
  return node.proxy.line(new RegExp(`\\baccess\\b${escaped.join("")}`));
}

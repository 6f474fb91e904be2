/** What the chapters have in common: the mesh, the terminal, and how to print a log line. */
import type { Claims } from "./claims.ts";
import type { LogLine } from "../lab/log_line.ts";
import type { Mesh } from "./mesh.ts";
import type { Node } from "../lab/proxy_process.ts";
import { type Terminal, wrap } from "./terminal.ts";

/** What a chapter needs. */
export interface DemoContext {
  readonly mesh: Mesh;
  readonly terminal: Terminal;
  readonly claims: Claims;
}

/** Prints the heading of a chapter. */
export function heading({ terminal }: DemoContext, text: string): void {
  terminal.say();
  terminal.say(terminal.bold(text));
}

/** Fields that are printed in normal brightness, as the claims refer to them. */
const NOTABLE = new Set([
  "src.identity",
  "dst.identity",
  "bytes_sent",
  "bytes_recv",
  "duration",
  "error",
  "identity",
  "version",
  "cipher",
  "group",
]);
const BETWEEN_FIELDS = / (?=[\w.]+=)/;

/** Prints a log line of `node`, wrapped, with all of its fields or those of `only`. */
export function showLine(
  { terminal }: DemoContext,
  node: Node,
  { message, words }: LogLine,
  only?: readonly string[],
): void {
  const margin = `   ${node.name}  `;
  const picked = only === undefined ? words : words.filter((word) => only.includes(nameOf(word)));
  const dots = picked.length < words.length ? ["..."] : [];
  const rows = wrap([`${message}:`, ...picked, ...dots], terminal.width - margin.length);
  rows.forEach((row, index) => {
    const text = row.split(BETWEEN_FIELDS).map((word) => NOTABLE.has(nameOf(word)) ? word : terminal.dim(word)).join(
      " ",
    );
    terminal.say((index === 0 ? terminal.bold(margin) : " ".repeat(margin.length)) + text);
  });
}

function nameOf(word: string): string {
  return word.split("=", 1)[0] ?? "";
}

/** What every chapter has: the mesh, where to print, and how to print a log line. */
import type { Claims } from "./claims.ts";
import type { LogLine } from "../lab/log_line.ts";
import type { Mesh } from "./mesh.ts";
import type { Node } from "../lab/proxy_process.ts";
import { type Terminal, wrap } from "./terminal.ts";

export interface Stage {
  readonly mesh: Mesh;
  readonly terminal: Terminal;
  readonly claims: Claims;
}

export function heading({ terminal }: Stage, text: string): void {
  terminal.say();
  terminal.say(terminal.bold(text));
}

/** Fields that the chapters speak of. */
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

/** A log line of `node` in as many lines as it takes: all of its fields, or those of `only`. */
export function showLine({ terminal }: Stage, node: Node, { message, words }: LogLine, only?: readonly string[]): void {
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

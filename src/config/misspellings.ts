/** Environment variables that look like misspelt settings. Such a variable has no effect, and nothing else reports it. */
import type { Setting } from "./catalogue/setting.ts";
import { PREFIXES, SETTINGS } from "./catalogue/settings.ts";
import { editDistance } from "./edit_distance.ts";
import type { Variables } from "./environment.ts";

/** A variable and the reason why it has no effect, for operators: `XDS_ADRESS (is XDS_ADDRESS meant?)`. */
interface Misspelling {
  readonly name: string;
  readonly text: string;
}

/** Only names of nearly the same length are compared: a start has some thousand pairs. */
const NAMES_BY_LENGTH = Map.groupBy(Object.keys(SETTINGS), (name) => name.length);
const PREFIX_NAMES = Object.keys(PREFIXES);
const MOST_EDITS = 2;
/** Variables compared at most. */
const MAX_COMPARED = 500;
const MAX_NAMED = 10;
/** Names of this length may differ by two letters, shorter ones by one. */
const LONG_NAME = 12;
/** Kubernetes sets these for every service of the namespace. */
const OF_KUBERNETES = /_SERVICE_(HOST|PORT)|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$/;

/** The misspellings among `variables`, in their order. */
export function misspellings(variables: Variables): Misspelling[] {
  const found: Misspelling[] = [];
  let compared = 0;
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) continue;
    if (name in SETTINGS) {
      const literal = literalOf(SETTINGS[name as keyof typeof SETTINGS]);
      if (literal === null || value === literal || value.trim().toLowerCase() !== literal) continue;
      found.push({ name, text: `${name}=${value} (only exactly ${literal} switches it on)` });
    } else if (!isOfOthers(name) && compared++ < MAX_COMPARED) {
      const meant = settingMeant(name, variables);
      if (meant !== null) found.push({ name, text: `${name} (is ${meant} meant?)` });
    }
  }
  return found;
}

/** One warning about all misspellings; none where there is none. */
export function misspellingWarnings(variables: Variables): string[] {
  const found = misspellings(variables).map(({ text }) => text);
  if (found.length === 0) return [];
  const more = found.length > MAX_NAMED ? ` and ${found.length - MAX_NAMED} more` : "";
  return [`environment variables without effect: ${found.slice(0, MAX_NAMED).join(", ")}${more}`];
}

function isOfOthers(name: string): boolean {
  return OF_KUBERNETES.test(name) || PREFIX_NAMES.some((prefix) => name.startsWith(prefix));
}

/** A setting that is itself set is not the one that was meant. Null: no name is similar. */
function settingMeant(name: string, variables: Variables): string | null {
  const typed = name.toUpperCase();
  for (let length = typed.length - MOST_EDITS; length <= typed.length + MOST_EDITS; length++) {
    for (const setting of NAMES_BY_LENGTH.get(length) ?? []) {
      if (isSimilar(typed, setting) && variables[setting] === undefined) return setting;
    }
  }
  return null;
}

function isSimilar(typed: string, setting: string): boolean {
  // Decides nearly all pairs without the table of distances.
  if (!haveCommonEnd(typed, setting)) return false;
  const limit = setting.length < LONG_NAME ? 1 : MOST_EDITS;
  return editDistance(typed, setting, limit) <= limit || hasSwap(typed, setting);
}

/** Whether the first two or the last two letters are the same. */
function haveCommonEnd(a: string, b: string): boolean {
  const i = a.length, j = b.length;
  return a.charCodeAt(0) === b.charCodeAt(0) && a.charCodeAt(1) === b.charCodeAt(1) ||
    a.charCodeAt(i - 1) === b.charCodeAt(j - 1) && a.charCodeAt(i - 2) === b.charCodeAt(j - 2);
}

/** Whether two neighbouring letters changed places. */
function hasSwap(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  const at = [...a].findIndex((letter, index) => letter !== b[index]);
  return at >= 0 && a.slice(0, at) + a.charAt(at + 1) + a.charAt(at) + a.slice(at + 2) === b;
}

/** The value that switches a setting on. Null: it is not a switch. */
function literalOf({ syntax, values }: Setting): string | null {
  return syntax === "switch" ? /`(.*?)`/.exec(values ?? "")?.[1] ?? null : null;
}

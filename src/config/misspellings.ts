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

/** Variables compared at most; each takes up to 0.1 ms. */
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
  return OF_KUBERNETES.test(name) || Object.keys(PREFIXES).some((prefix) => name.startsWith(prefix));
}

/** A setting that is itself set is not the one that was meant. Null: no name is similar. */
function settingMeant(name: string, variables: Variables): string | null {
  const typed = name.toUpperCase();
  const isMeant = (setting: string) => variables[setting] === undefined && isSimilar(typed, setting);
  return Object.keys(SETTINGS).find(isMeant) ?? null;
}

function isSimilar(typed: string, setting: string): boolean {
  const limit = setting.length < LONG_NAME ? 1 : 2;
  return editDistance(typed, setting, limit) <= limit || hasSwap(typed, setting);
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

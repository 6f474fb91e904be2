/** Which absolute names a relative one stands for, in order (resolv.conf(5), `docs/spec/inpod-dns.md` B6.2). */
import type { ResolverSettings } from "../config/resolver_settings.ts";

/** A search list may be as long as the file; nobody waits for all of a long one. */
const MAX_SUFFIXES = 16;

/** Without final dots. A name with one is absolute, and the only one. */
export function candidateNames(
  name: string,
  { ndots, domain, search }: Pick<ResolverSettings, "ndots" | "domain" | "search">,
): string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  const suffixes = [...domain === null ? [] : [domain], ...search].slice(0, MAX_SUFFIXES);
  const longer = suffixes.map((suffix) => `${name}.${suffix.replace(/\.$/, "")}`);
  const dots = name.split(".").length - 1;
  return [...new Set(dots >= ndots ? [name, ...longer] : [...longer, name])];
}

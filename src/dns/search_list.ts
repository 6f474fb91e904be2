/** The absolute names that a relative one may stand for, in order (resolv.conf(5), `docs/spec/inpod-dns.md` B6.2). */
import type { ResolverSettings } from "../config/resolver_settings.ts";

/** Search domains used at most. The list may be as long as the file, and each domain costs a round trip. */
const MAX_SUFFIXES = 16;

/** The candidates, without final dots. A name with a final dot is absolute and the only candidate. */
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

/**
 * The service names that a query may stand for (`docs/spec/inpod-dns.md` B5.5, B5.6). They are what the search domains
 * of Kubernetes would produce; trying them here saves round trips for short names. Names are in lower case, without a
 * final dot.
 */

/** What relative names are completed with. */
export interface AliasSettings {
  /** Namespace of the client. */
  readonly namespace: string;
  /** `cluster.local` */
  readonly clusterDomain: string;
  readonly searchDomains: readonly string[];
}

/** A name that a query may stand for. */
interface Alias {
  readonly name: string;
  /** The query without the search domain that was removed from its end; null: none was removed. */
  readonly stripped: string | null;
}

/** The search domains of a pod in `namespace`, as Kubernetes sets them (shared mode). */
export function clusterSearchDomains(namespace: string, clusterDomain: string): string[] {
  return [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
}

/** The aliases in the order in which they are tried. The first is the name itself. */
export function aliasesOf(name: string, settings: AliasSettings): Alias[] {
  const found: Alias[] = [];
  const add = (alias: string, stripped: string | null) => {
    if (!found.some((other) => other.name === alias)) found.push({ name: alias, stripped });
  };
  add(name, null);
  for (const expansion of expansions(name, settings)) add(expansion, null);
  for (const domain of settings.searchDomains) {
    const stripped = withoutSuffix(name, domain);
    if (stripped === null) continue;
    add(stripped, stripped);
    for (const expansion of expansions(stripped, settings)) add(expansion, stripped);
  }
  return found;
}

/** The fully qualified names of Kubernetes that a relative name may stand for. */
export function expansions(name: string, { namespace, clusterDomain }: AliasSettings): string[] {
  const labels = name.split(".");
  const inService = labels.at(-1) === "svc";
  switch (labels.length) {
    case 1:
      return name === "" ? [] : [`${name}.${namespace}.svc.${clusterDomain}`];
    case 2:
      return [`${name}.svc.${clusterDomain}`, `${name}.${namespace}.svc.${clusterDomain}`];
    case 3:
      return [...inService ? [`${name}.${clusterDomain}`] : [], `${name}.svc.${clusterDomain}`];
    case 4:
      return inService ? [`${name}.${clusterDomain}`] : [];
    default:
      return [];
  }
}

/** `name` without `.suffix`; null where it does not end so. */
export function withoutSuffix(name: string, suffix: string): string | null {
  const end = name.length - suffix.length - 1;
  return end > 0 && suffix !== "" && name.charCodeAt(end) === DOT && name.endsWith(suffix) ? name.slice(0, end) : null;
}

const DOT = 46;

/**
 * The first result of `find` that is not null, for `name` and then for the wildcards that cover it, most specific
 * first:
 * `a.b.c`, `*.b.c`, `*.c`.
 */
export function throughWildcards<T>(name: string, find: (candidate: string) => T | null): T | null {
  const exact = find(name);
  if (exact !== null) return exact;
  // An asterisk in the query itself does not count as a label.
  for (let dot = name.indexOf(".", name.startsWith("*.") ? 2 : 0); dot >= 0; dot = name.indexOf(".", dot + 1)) {
    const found = find(`*${name.slice(dot)}`);
    if (found !== null) return found;
  }
  return null;
}

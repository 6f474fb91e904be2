/** `/etc/resolv.conf` as the resolver for hostname workloads sees it (resolv.conf(5), `docs/spec/config-admin.md` 1.5). */
import { type Ip, parseIp } from "../net/address.ts";

/** What a resolver file says. */
export interface ResolverSettings {
  readonly nameservers: readonly Ip[];
  readonly search: readonly string[];
  /** The `domain` line; null where missing or replaced by a later `search`. */
  readonly domain: string | null;
  /** Dots from which a name is first tried as it is. */
  readonly ndots: number;
  /** For one attempt, ms. */
  readonly timeout: number;
  readonly attempts: number;
  /** Questions of our own carry an OPT record. */
  readonly edns0: boolean;
}

const LINES_MAX = 1000;

/** Lines that are not understood are skipped, as every resolver does. */
export function parseResolverFile(text: string): ResolverSettings {
  const nameservers: Ip[] = [];
  let search: readonly string[] = [];
  let domain: string | null = null;
  const options = new Map<string, string>();
  for (const line of text.split("\n", LINES_MAX)) {
    const [keyword, ...values] = line.replace(/[#;].*$/, "").trim().split(/\s+/);
    const first = values[0] ?? "";
    if (keyword === "nameserver") pushIp(nameservers, first);
    else if (keyword === "search") [search, domain] = [values.filter((name) => name !== "--"), null];
    else if (keyword === "domain" && first !== "") [search, domain] = [[], first];
    else if (keyword === "options") values.forEach((option) => setOption(options, option));
  }
  return {
    nameservers,
    search,
    domain,
    ndots: bounded(options.get("ndots"), 1, 15),
    timeout: bounded(options.get("timeout"), 5, 30) * 1000,
    attempts: bounded(options.get("attempts"), 2, 5),
    edns0: options.has("edns0"),
  };
}

function pushIp(into: Ip[], text: string) {
  // A zone suffix names the interface of a link-local server; the address alone is what we can use.
  const ip = parseIp(text.replace(/%.*$/, ""));
  if (ip !== null) into.push(ip);
}

function setOption(options: Map<string, string>, option: string) {
  const [name = "", ...value] = option.split(":");
  options.set(name, value.join(":"));
}

/** glibc silently caps these; a text that is no number keeps the default. */
function bounded(text: string | undefined, fallback: number, max: number): number {
  return text !== undefined && /^[0-9]{1,6}$/.test(text) ? Math.min(Number(text), max) : fallback;
}

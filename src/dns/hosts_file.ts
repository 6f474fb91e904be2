/** `/etc/hosts` of the proxy (hosts(5)): names and addresses that need no question. */
import { type Ip, parseIp } from "../net/address.ts";

/** The content of the file. */
export interface HostsFile {
  /** By name in lower case. */
  readonly addresses: ReadonlyMap<string, readonly Ip[]>;
  /** The first name of each address. */
  readonly names: ReadonlyMap<Ip, string>;
}

const LINES_MAX = 10_000;
const NAME = /^[a-z0-9_]([a-z0-9_.-]{0,252}[a-z0-9_])?$/;

/** Parses the file. Invalid lines are skipped, as other resolvers do. */
export function parseHostsFile(text: string): HostsFile {
  const addresses = new Map<string, Ip[]>();
  const names = new Map<Ip, string>();
  for (const line of text.split("\n", LINES_MAX)) {
    const [first = "", ...words] = line.replace(/#.*$/, "").trim().split(/\s+/);
    const ip = parseIp(first);
    if (ip === null) continue;
    for (const name of words.map((word) => word.toLowerCase().replace(/\.$/, "")).filter((word) => NAME.test(word))) {
      if (!names.has(ip)) names.set(ip, name);
      const known = addresses.get(name);
      if (known === undefined) addresses.set(name, [ip]);
      else if (!known.includes(ip)) known.push(ip);
    }
  }
  return { addresses, names };
}

/** The resolver for workloads that have a name in place of an address (`docs/spec/inpod-dns.md` B6); one per isolate. */
import type { Config } from "../config/config.ts";
import type { ConfigFiles } from "../config/files.ts";
import { parseHostsFile } from "../dns/hosts_file.ts";
import { StubResolver } from "../dns/stub_resolver.ts";
import type { Network } from "../net/network.ts";

const HOSTS_FILE = "/etc/hosts";
const DNS_PORT = 53;

interface HostNamesParts {
  readonly config: Config;
  readonly network: Network;
  readonly files: ConfigFiles;
  readonly fillRandom: (bytes: Uint8Array<ArrayBuffer>) => void;
}

/** A resolver in the process's own namespace. `/etc/hosts` and `/etc/resolv.conf` are read once, at the start. */
export function hostNames({ config, network, files, fillRandom }: HostNamesParts): StubResolver {
  const id = new Uint8Array(2);
  return new StubResolver({
    network,
    resolver: config.resolver,
    nameservers: config.resolver.nameservers.map((ip) => ({ ip, port: DNS_PORT })),
    hosts: parseHostsFile(files.read(HOSTS_FILE) ?? ""),
    ipv6: config.ipv6,
    randomId() {
      fillRandom(id);
      return (id[0]! << 8) | id[1]!;
    },
  });
}

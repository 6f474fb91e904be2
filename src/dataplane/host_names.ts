/** The resolver for workloads that are known by name only (`docs/spec/inpod-dns.md` B6). One for each isolate. */
import type { Config } from "../config/config.ts";
import type { ConfigFiles } from "../config/files.ts";
import { parseHostsFile } from "../dns/hosts_file.ts";
import { StubResolver } from "../dns/stub_resolver.ts";
import type { Network } from "../net/network.ts";

const HOSTS_FILE = "/etc/hosts";
const DNS_PORT = 53;

export interface HostNamesParts {
  readonly config: Config;
  readonly network: Network;
  readonly files: ConfigFiles;
  readonly fillRandom: (bytes: Uint8Array<ArrayBuffer>) => void;
}

/** Asks from the process's own namespace. Both files are as they were at the start. */
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

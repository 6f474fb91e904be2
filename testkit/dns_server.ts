/** Nameservers for scenarios, and which of them a program in a namespace knows. */
import type { Namespace } from "../lab/namespace.ts";
import { Program } from "../lab/program.ts";

/** A dnsmasq that knows `records` (its own options) and nobody else. It prints each query. */
export async function startDnsmasq(
  namespace: Namespace,
  addresses: readonly string[],
  records: readonly string[],
): Promise<Program> {
  const program = new Program("dnsmasq", {
    namespace: namespace.name,
    args: [
      "--keep-in-foreground",
      "--conf-file=/dev/null",
      "--pid-file=",
      "--user=root",
      "--no-resolv",
      "--no-hosts",
      "--bind-interfaces",
      "--except-interface=lo",
      ...addresses.map((address) => `--listen-address=${address}`),
      "--auth-ttl=60",
      "--local-ttl=60",
      "--local=/#/",
      "--log-facility=-",
      "--log-queries",
      ...records,
    ],
  });
  await program.line(/started, version/);
  return program;
}

/**
 * What `/etc/resolv.conf` and `/etc/hosts` are for programs that `ip netns exec` starts in this namespace, until the
 * scope ends: it puts the files of `/etc/netns/NAME` in their place.
 */
export function withResolver(namespace: Namespace, resolver: string, hosts = "127.0.0.1 localhost\n"): Disposable {
  const folder = `/etc/netns/${namespace.name}`;
  Deno.mkdirSync(folder, { recursive: true });
  Deno.writeTextFileSync(`${folder}/resolv.conf`, resolver);
  Deno.writeTextFileSync(`${folder}/hosts`, hosts);
  return { [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }) };
}

/** DNS servers for tests in namespaces, and the resolver configuration of programs there. */
import type { Namespace } from "../lab/namespace.ts";
import { Program } from "../lab/program.ts";

/**
 * Starts a dnsmasq that listens on `addresses`, answers from `records` (options of dnsmasq) without asking other servers,
 * and prints each query.
 */
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
 * Sets `/etc/resolv.conf` and `/etc/hosts` for programs that `ip netns exec` starts in this namespace until disposal:
 * that command mounts the files of `/etc/netns/NAME` over them (ip-netns(8)).
 */
export function withResolver(namespace: Namespace, resolver: string, hosts = "127.0.0.1 localhost\n"): Disposable {
  const folder = `/etc/netns/${namespace.name}`;
  Deno.mkdirSync(folder, { recursive: true });
  Deno.writeTextFileSync(`${folder}/resolv.conf`, resolver);
  Deno.writeTextFileSync(`${folder}/hosts`, hosts);
  return { [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }) };
}

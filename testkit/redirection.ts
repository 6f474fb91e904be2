/** Redirection in a pod's namespace, as the node's agent installs it (`docs/spec/inpod-dns.md` A3.1, A3.2), without DNS. */
import type { Namespace } from "../lab/namespace.ts";

/** The mark of the proxies' packets, value of `PACKET_MARK`. */
export const PACKET_MARK = 0x539;
const OURS = `${PACKET_MARK}/0xfff`;
const REPLY = "0x111/0xfff";

/** Redirects all TCP connections from and to the namespace to the proxy, except those with its mark. */
export async function redirect(namespace: Namespace): Promise<void> {
  await namespace.run("sh", "-ec", ["4", "6"].flatMap(commands).join("\n"));
}

/** Number of connections that were redirected to the outbound port so far: the rule counts one packet for each. */
export async function redirected(namespace: Namespace): Promise<number> {
  const rules = await namespace.run("iptables", "-t", "nat", "-L", "ISTIO_OUTPUT", "-v", "-n", "-x");
  const [, packets = ""] = /^\s*(\d+).*redir ports 15001/m.exec(rules) ?? [];
  return Number(packets);
}

function commands(family: string): string[] {
  const [tables, loopback, everything] = family === "4"
    ? ["iptables", "127.0.0.1/32", "0.0.0.0/0"]
    : ["ip6tables", "::1/128", "::/0"];
  const add = (table: string, rule: string) => `${tables} -w -t ${table} ${rule}`;
  return [
    `ip -${family} rule add fwmark ${REPLY} preference 32764 lookup 100`,
    `ip -${family} route add local ${everything} dev lo table 100`,
    ...["mangle", "nat"].flatMap((table) => [
      add(table, "-N ISTIO_PRERT"),
      add(table, "-N ISTIO_OUTPUT"),
      add(table, "-A PREROUTING -j ISTIO_PRERT"),
      add(table, "-A OUTPUT -j ISTIO_OUTPUT"),
    ]),
    // M3, M4: responses to connections with the client's source address are routed to the proxy.
    add("mangle", `-A ISTIO_PRERT -m mark --mark ${OURS} -j CONNMARK --set-xmark ${REPLY}`),
    add("mangle", `-A ISTIO_OUTPUT -m connmark --mark ${REPLY} -j CONNMARK --restore-mark`),
    // N5
    add(
      "nat",
      `-A ISTIO_PRERT ! -d ${loopback} -p tcp ! --dport 15008 -m mark ! --mark ${OURS} -j REDIRECT --to 15006`,
    ),
    // N6, N7, N8
    add("nat", `-A ISTIO_OUTPUT -p tcp -m mark --mark ${REPLY} -j ACCEPT`),
    add("nat", `-A ISTIO_OUTPUT ! -d ${loopback} -o lo -j ACCEPT`),
    add("nat", `-A ISTIO_OUTPUT ! -d ${loopback} -p tcp -m mark ! --mark ${OURS} -j REDIRECT --to 15001`),
  ];
}

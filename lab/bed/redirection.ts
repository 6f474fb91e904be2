/** Installs the redirection rules of istio-cni in a pod (`docs/spec/inpod-dns.md` A3). */
import type { Namespace } from "../namespace.ts";
import { iptablesText, IPV4, IPV6, nftText, routingCommands, type Variant } from "./redirection_rules.ts";

/** The tool that installs the rules. */
export type Backend = "iptables" | "nftables";

/** Installs rules and routes. */
export async function redirectPod(pod: Namespace, backend: Backend, variant: Variant): Promise<void> {
  await pod.run("sh", "-ec", [...routing(variant), ...rules(backend, variant)].join("\n"));
}

function routing({ ipv6 }: Variant): string[] {
  const commands = (family: string, lines: readonly string[]) => lines.map((line) => `ip ${family} ${line}`);
  return [
    ...commands("-4", routingCommands(IPV4)),
    ...(ipv6 ? commands("-6", routingCommands(IPV6)) : []),
  ];
}

function rules(backend: Backend, variant: Variant): string[] {
  if (backend === "nftables") return [feed("nft -f -", nftText(variant))];
  return [
    feed("iptables-restore --wait --noflush", iptablesText(IPV4, variant)),
    ...(variant.ipv6 ? [feed("ip6tables-restore --wait --noflush", iptablesText(IPV6, variant))] : []),
  ];
}

function feed(command: string, text: string): string {
  return `${command} <<'RULES'\n${text}RULES`;
}

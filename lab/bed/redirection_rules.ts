/**
 * The redirection rules of istio-cni as text for `iptables-restore` and `nft` (`docs/spec/inpod-dns.md` A3.1 to A3.3).
 */

/** Which rules are needed. */
export interface Variant {
  /** Rules for IPv6 too. */
  readonly ipv6: boolean;
  /** DNS is captured. */
  readonly dns: boolean;
  /** `ambient.istio.io/bypass-inbound-capture`: inbound connections are not redirected. */
  readonly ingress?: boolean;
  /** `istio.io/reroute-virtual-interfaces`: interfaces of virtual machines in the pod. */
  readonly virtualInterfaces?: readonly string[];
}

type Table = "mangle" | "nat" | "raw";
type Chain = "ISTIO_PRERT" | "ISTIO_OUTPUT";

/** One rule. `id`: in the specification. */
interface Rule {
  readonly id: string;
  readonly table: Table;
  readonly chain: Chain;
  /** The rule as `iptables-save` prints it, without table and chain. */
  readonly iptables: string;
  /** The rule in a table of family inet; equal for both families where it has no address. */
  readonly nft: string;
}

interface Family {
  readonly name: "ip" | "ip6";
  readonly loopback: string;
  readonly everything: string;
  readonly probe: string;
}

export const IPV4: Family = {
  name: "ip",
  loopback: "127.0.0.1/32",
  everything: "0.0.0.0/0",
  probe: "169.254.7.127/32",
};
export const IPV6: Family = {
  name: "ip6",
  loopback: "::1/128",
  everything: "::/0",
  probe: "fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128",
};

const OURS = "-m mark --mark 0x539/0xfff", NOT_OURS = "-m mark ! --mark 0x539/0xfff";
const NFT_OURS = "meta mark & 0xfff == 0x539", NFT_NOT_OURS = "meta mark & 0xfff != 0x539";

/** Returns the rules of one family; those of a chain are in order. */
export function rulesOf(family: Family, { dns, ingress = false, virtualInterfaces = [] }: Variant): Rule[] {
  const { name, loopback, probe } = family;
  const rule = (id: string, table: Table, chain: Chain, iptables: string, nft: string): Rule => ({
    id,
    table,
    chain,
    iptables,
    nft,
  });
  const inbound = (id: string, iptables: string, nft: string) => rule(id, "nat", "ISTIO_PRERT", iptables, nft);
  const outbound = (id: string, iptables: string, nft: string) => rule(id, "nat", "ISTIO_OUTPUT", iptables, nft);
  const elsewhere = `${name} daddr != ${loopback}`;
  return [
    rule(
      "M4",
      "mangle",
      "ISTIO_OUTPUT",
      "-m connmark --mark 0x111/0xfff -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff",
      "ct mark & 0xfff == 0x111 counter meta mark set ct mark",
    ),
    rule(
      "M3",
      "mangle",
      "ISTIO_PRERT",
      `${OURS} -j CONNMARK --set-xmark 0x111/0xfff`,
      `${NFT_OURS} counter ct mark set ct mark & 0xfffff000 | 0x111`,
    ),
    outbound("N4", `-d ${probe} -p tcp -m tcp -j ACCEPT`, `meta l4proto tcp ${name} daddr ${probe} counter accept`),
    ...(dns
      ? [
        outbound(
          "D1",
          `! -o lo -p udp ${NOT_OURS} -m udp --dport 53 -j REDIRECT --to-ports 15053`,
          `oifname != "lo" ${NFT_NOT_OURS} udp dport 53 counter redirect to :15053`,
        ),
        outbound(
          "D2",
          `! -d ${loopback} -p tcp -m tcp --dport 53 ${NOT_OURS} -j REDIRECT --to-ports 15053`,
          `${elsewhere} tcp dport 53 ${NFT_NOT_OURS} counter redirect to :15053`,
        ),
      ]
      : []),
    outbound(
      "N6",
      "-p tcp -m mark --mark 0x111/0xfff -j ACCEPT",
      "meta l4proto tcp meta mark & 0xfff == 0x111 counter accept",
    ),
    outbound("N7", `! -d ${loopback} -o lo -j ACCEPT`, `oifname "lo" ${elsewhere} counter accept`),
    outbound(
      "N8",
      `! -d ${loopback} -p tcp ${NOT_OURS} -j REDIRECT --to-ports 15001`,
      `meta l4proto tcp ${elsewhere} ${NFT_NOT_OURS} counter redirect to :15001`,
    ),
    ...virtualInterfaces.flatMap((device) => [
      inbound(
        "V1",
        `-i ${device} -p tcp -j REDIRECT --to-ports 15001`,
        `iifname "${device}" meta l4proto tcp counter redirect to :15001`,
      ),
      inbound("V2", `-i ${device} -p tcp -j RETURN`, `iifname "${device}" meta l4proto tcp counter return`),
    ]),
    ...(ingress ? [] : [
      inbound("N3", `-s ${probe} -p tcp -m tcp -j ACCEPT`, `meta l4proto tcp ${name} saddr ${probe} counter accept`),
      inbound(
        "N5",
        `! -d ${loopback} -p tcp -m tcp ! --dport 15008 ${NOT_OURS} -j REDIRECT --to-ports 15006`,
        `${elsewhere} tcp dport != 15008 ${NFT_NOT_OURS} counter redirect to :15006`,
      ),
    ]),
    ...(dns
      ? [
        rule(
          "R3",
          "raw",
          "ISTIO_OUTPUT",
          `-p udp ${OURS} -m udp --dport 53 -j CT --zone 1`,
          `udp dport 53 ${NFT_OURS} counter ct zone set 1`,
        ),
        rule(
          "R4",
          "raw",
          "ISTIO_PRERT",
          `-p udp ${NOT_OURS} -m udp --sport 53 -j CT --zone 1`,
          `udp sport 53 ${NFT_NOT_OURS} counter ct zone set 1`,
        ),
      ]
      : []),
  ];
}

const TABLES: readonly Table[] = ["mangle", "nat", "raw"];
const HOOKS = { ISTIO_PRERT: "PREROUTING", ISTIO_OUTPUT: "OUTPUT" } as const;
const CHAINS: readonly Chain[] = ["ISTIO_OUTPUT", "ISTIO_PRERT"];

/** Returns the input of `iptables-restore --noflush` or `ip6tables-restore --noflush`. */
export function iptablesText(family: Family, variant: Variant): string {
  const rules = rulesOf(family, variant);
  return TABLES.filter((table) => rules.some((rule) => rule.table === table)).map((table) =>
    [
      `*${table}`,
      ...CHAINS.map((chain) => `:${chain} - [0:0]`),
      "-A PREROUTING -j ISTIO_PRERT",
      "-A OUTPUT -j ISTIO_OUTPUT",
      ...rules.filter((rule) => rule.table === table).map(({ chain, iptables }) => `-A ${chain} ${iptables}`),
      "COMMIT",
      "",
    ].join("\n")
  ).join("");
}

const NFT_HOOKS: Readonly<Record<Table, Readonly<Record<Chain, string>>>> = {
  nat: { ISTIO_PRERT: "nat hook prerouting priority -100", ISTIO_OUTPUT: "nat hook output priority -100" },
  mangle: { ISTIO_PRERT: "filter hook prerouting priority -150", ISTIO_OUTPUT: "route hook output priority -150" },
  raw: { ISTIO_PRERT: "filter hook prerouting priority -300", ISTIO_OUTPUT: "filter hook output priority -300" },
};
const NFT_NAMES = { ISTIO_PRERT: "istio-prerouting", ISTIO_OUTPUT: "istio-output" } as const;

/** Returns the input of `nft -f`: one transaction, with both families in one table. */
export function nftText(variant: Variant): string {
  const families = variant.ipv6 ? [IPV4, IPV6] : [IPV4];
  const rules = interleaved(families.map((family) => rulesOf(family, variant)));
  return TABLES.filter((table) => rules.some((rule) => rule.table === table)).map((table) => {
    const chains = CHAINS.map((chain) => {
      const own = rules.filter((rule) => rule.table === table && rule.chain === chain);
      const base = HOOKS[chain].toLowerCase();
      return `  chain ${NFT_NAMES[chain]} {\n${own.map(({ nft }) => `    ${nft}\n`).join("")}  }\n` +
        `  chain ${base} {\n    type ${NFT_HOOKS[table][chain]};\n    jump ${NFT_NAMES[chain]}\n  }\n`;
    });
    return `table inet istio-ambient-${table} {\n${chains.join("")}}\n`;
  }).join("");
}

/** Merges the rules of both families; equal rules appear once. */
function interleaved([first = [], second = []]: readonly (readonly Rule[])[]): Rule[] {
  return first.flatMap((rule, index) => {
    const twin = second[index];
    return twin === undefined || twin.nft === rule.nft ? [rule] : [rule, twin];
  });
}

/** Returns the commands for `ip -4` and `ip -6` that route replies to a spoofed source address to the proxy. */
export function routingCommands({ everything }: Family): string[] {
  return [
    `route add local ${everything} dev lo table 100`,
    "rule add fwmark 0x111/0xfff pref 32764 lookup 100",
  ];
}

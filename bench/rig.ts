/**
 * The network of a pair of proxies.
 *
 *     namespace zt-a-N                              namespace zt-b-N
 *     wrk, iperf3 ── iptables REDIRECT ──▶ proxy ══ veth, MTU 1500 ══▶ proxy ──▶ nginx, iperf3 -s
 *
 * A row may have a relay that delays packets in place of the veth pair (`testkit/link/slow_link.ts`).
 *
 * Without root there is one network for all: the loopback link has no redirection, proxies are reached through SOCKS
 * or fixed ports.
 */
import { LINK_DEVICE, type LinkConditions, SlowLink } from "../testkit/link/slow_link.ts";
import type { Processes } from "./processes.ts";

/** The side of the client or of the application. */
export type Side = "client" | "server";
const SIDES = ["client", "server"] as const;

/** Port of the application behind the server-side proxy. */
export const HTTP_PORT = 8080;
/** Port of `iperf3`. */
export const BULK_PORT = 5201;
/** Port of `echo.ts`, which runs only for the rows that need it. */
export const ECHO_PORT = 7000;

/** Mark of the proxies' own connections (`PACKET_MARK`): they are not redirected again. */
export const PACKET_MARK = 0x539;

/** What differs from a veth pair with the kernel's defaults. */
export interface LinkVariant {
  /** What the link between the two sides does to packets; a veth pair does nothing to them. */
  readonly link?: Partial<LinkConditions>;
  /** Of TCP on both sides: `reno`. By default the kernel's. */
  readonly congestionControl?: string;
}

/** Two networks with a path between them. */
export interface Link {
  readonly kind: "namespaces" | "loopback";
  readonly addresses: Readonly<Record<Side, string>>;
  /** Paths of the two network namespaces; null: there is one network for all. */
  readonly namespaces: Readonly<Record<Side, string>> | null;
  /** Name of the device at either end. */
  readonly device: string;
  /** Words to put before a command so that it runs on that side. */
  inside(side: Side): readonly string[];
  /** Sends the client side's connections to `port` of the server's address to the local port `to` instead. */
  redirect(port: number, to: number): Promise<void>;
  close(): Promise<void>;
}

/** A link without namespaces. */
class LoopbackLink implements Link {
  readonly kind = "loopback";
  readonly addresses = { client: "127.0.0.1", server: "127.0.0.2" };
  readonly namespaces = null;
  readonly device = "lo";

  inside(): readonly string[] {
    return [];
  }

  redirect(): Promise<void> {
    throw new Error("Cannot redirect on loopback: it needs a network namespace");
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Settings so that connections in TIME_WAIT do not slow down the next row. */
const SYSCTLS: ReadonlyArray<readonly [name: string, value: string]> = [
  ["ipv4/ip_local_port_range", "20000 65000"],
  ["ipv4/tcp_tw_reuse", "1"],
  ["core/somaxconn", "8192"],
  ["netfilter/nf_conntrack_tcp_timeout_time_wait", "1"],
  ["netfilter/nf_conntrack_tcp_timeout_close", "1"],
];

/** Both namespaces are private, so every link uses the same two addresses. */
class NamespaceLink implements Link {
  readonly kind = "namespaces";
  readonly addresses = { client: "10.77.0.1", server: "10.77.0.2" };
  readonly namespaces: Readonly<Record<Side, string>>;
  readonly device: string;
  readonly #names: Readonly<Record<Side, string>>;
  readonly #processes: Processes;
  /** Null: a veth pair with nothing between its ends. */
  readonly #conditions: Partial<LinkConditions> | null;
  readonly #congestionControl: string | null;
  #slow: SlowLink | null = null;

  private constructor(processes: Processes, suffix: string, { link, congestionControl }: LinkVariant) {
    this.#processes = processes;
    this.#conditions = link ?? null;
    this.#congestionControl = congestionControl ?? null;
    this.device = link === undefined ? "veth0" : LINK_DEVICE;
    this.#names = { client: `zt-a-${suffix}`, server: `zt-b-${suffix}` };
    const { client, server } = this.#names;
    this.namespaces = { client: `/run/netns/${client}`, server: `/run/netns/${server}` };
  }

  /** Makes the two namespaces and joins them. `suffix` must be unique on the machine. */
  static async open(processes: Processes, suffix: string, variant: LinkVariant): Promise<NamespaceLink> {
    const link = new NamespaceLink(processes, suffix, variant);
    try {
      await link.#build();
    } catch (error) {
      await link.close();
      throw error;
    }
    return link;
  }

  inside(side: Side): readonly string[] {
    return ["nsenter", `--net=${this.namespaces[side]}`, "--"];
  }

  async redirect(port: number, to: number): Promise<void> {
    const rule = `-t nat -A OUTPUT -p tcp -d ${this.addresses.server} -m mark ! --mark ${PACKET_MARK} ` +
      `--dport ${port} -j REDIRECT --to-ports ${to}`;
    await this.#run("client", ["iptables", ...rule.split(" ")]);
  }

  async close(): Promise<void> {
    await this.#slow?.[Symbol.asyncDispose]();
    for (const name of Object.values(this.#names)) {
      await this.#processes.run(["ip", "netns", "del", name]).catch(() => "not there");
    }
  }

  async #build(): Promise<void> {
    const { client, server } = this.#names;
    const ip = (words: string) => this.#processes.run(["ip", ...words.split(" ")]);
    await ip(`netns add ${client}`);
    await ip(`netns add ${server}`);
    if (this.#conditions === null) {
      await ip(`link add veth0 mtu 1500 netns ${client} type veth peer name veth0 mtu 1500 netns ${server}`);
      for (const side of SIDES) {
        await ip(`-n ${this.#names[side]} addr add ${this.addresses[side]}/24 dev veth0`);
        await ip(`-n ${this.#names[side]} link set veth0 up`);
      }
    } else {
      const end = (side: Side) => ({ in: { path: this.namespaces[side] }, addresses: [`${this.addresses[side]}/24`] });
      this.#slow = await SlowLink.join(end("client"), end("server"), this.#conditions);
    }
    for (const side of SIDES) {
      await ip(`-n ${this.#names[side]} link set lo up`);
      await this.#tune(side);
    }
  }

  async #tune(side: Side): Promise<void> {
    // A kernel without one of these names still gives valid figures.
    const script = this.#sysctls().map(([name, value]) => `echo '${value}' > /proc/sys/net/${name}`).join("; ");
    await this.#run(side, ["sh", "-c", `(${script}) 2>/dev/null; true`]);
  }

  #sysctls(): typeof SYSCTLS {
    return this.#congestionControl === null
      ? SYSCTLS
      : [...SYSCTLS, ["ipv4/tcp_congestion_control", this.#congestionControl]];
  }

  #run(side: Side, argv: readonly string[]): Promise<string> {
    return this.#processes.run([...this.inside(side), ...argv]);
  }
}

/** The kind of link that this user may use: namespaces need root. */
export function bestRig(): Link["kind"] {
  return Deno.uid() === 0 ? "namespaces" : "loopback";
}

/** Creates a link. `suffix` must be unique on the machine; `processes` runs the commands that build it. */
export async function openLink(
  kind: Link["kind"],
  processes: Processes,
  suffix: string,
  variant: LinkVariant = {},
): Promise<Link> {
  if (kind === "namespaces") return await NamespaceLink.open(processes, suffix, variant);
  if (variant.link !== undefined) throw new Error("Cannot delay packets on loopback: it needs network namespaces");
  return new LoopbackLink();
}

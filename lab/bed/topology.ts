/**
 * The network of a small cluster on one machine: nodes with a bridge for their pods, and a wire that joins the nodes and
 * a host outside of the mesh. Each of them is a network namespace.
 *
 *     pod 10.1.0.2   pod 10.1.0.3           pod 10.2.0.2   pod 10.2.0.3
 *     fd01::2 │      fd01::3 │              fd02::2 │      fd02::3 │
 *        ─────┴── 10.1.0.1 ──┘                 ─────┴── 10.2.0.1 ──┘
 *                 node 1                               node 2               outside
 *               10.200.0.1                           10.200.0.2           10.200.0.9
 *               ───────┴────────────── wire ───────────────┴───────────────────┘
 */
import { makeNamespace, type Namespace } from "../namespace.ts";
import { run } from "../program.ts";

/** The last part of the addresses of the outside host. */
const OUTSIDE = 9;

/** A namespace with its addresses. */
export interface Wired {
  readonly namespace: Namespace;
  readonly ip: string;
  readonly ip6: string;
}

/** A node with its number. */
export interface WiredNode extends Wired {
  readonly number: number;
}

/** Makes the namespaces and links, with batch files for `ip` in `folder`. */
export class Cabling {
  readonly #folder: string;
  #files = 0;
  #devices = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes the namespace with the bridge that joins the nodes. */
  makeWire(): Promise<Namespace> {
    return makeNamespace("wire", (wire) => this.#ip(wire, ["link add br0 type bridge", "link set br0 up"]));
  }

  /** Makes a node and joins it to the wire. */
  async makeNode(wire: Namespace, number: number): Promise<WiredNode> {
    const addresses = { ip: `10.200.0.${number}`, ip6: `fd20::${number}` };
    const namespace = await makeNamespace(`node${number}`, async (node) => {
      await this.#connect(wire, "br0", node, [`${addresses.ip}/24`, `${addresses.ip6}/64`]);
      await this.#ip(node, [
        "link add pods type bridge",
        "link set pods up",
        `address add 10.${number}.0.1/16 dev pods`,
        `address add fd0${number}::1/64 dev pods nodad`,
      ]);
      await enableForwarding(node);
    });
    return { namespace, number, ...addresses };
  }

  /** Adds routes to the pods of the other nodes. */
  async route(from: Namespace, nodes: readonly WiredNode[]): Promise<void> {
    await this.#ip(
      from,
      nodes.filter(({ namespace }) => namespace !== from).flatMap(({ number, ip, ip6 }) => [
        `route add 10.${number}.0.0/16 via ${ip}`,
        `route add fd0${number}::/64 via ${ip6}`,
      ]),
    );
  }

  /** Makes the host outside of the mesh. */
  async makeOutside(wire: Namespace): Promise<Wired> {
    const addresses = { ip: `10.200.0.${OUTSIDE}`, ip6: `fd20::${OUTSIDE}` };
    const namespace = await makeNamespace(
      "outside",
      (host) => this.#connect(wire, "br0", host, [`${addresses.ip}/24`, `${addresses.ip6}/64`]),
    );
    return { namespace, ...addresses };
  }

  /** Makes a pod. `index`: determines its addresses, from 0, at most 60,000. */
  async makePod(node: WiredNode, name: string, index: number): Promise<Wired> {
    const host = index + 2;
    const addresses = {
      ip: `10.${node.number}.${host >> 8}.${host & 255}`,
      ip6: `fd0${node.number}::${host.toString(16)}`,
    };
    const routes = [
      `route add default via 10.${node.number}.0.1`,
      `route add default via fd0${node.number}::1`,
    ];
    const namespace = await makeNamespace(
      name,
      (pod) => this.#connect(node.namespace, "pods", pod, [`${addresses.ip}/16`, `${addresses.ip6}/64`], routes),
    );
    return { namespace, ...addresses };
  }

  async #connect(
    host: Namespace,
    bridge: string,
    guest: Namespace,
    addresses: readonly string[],
    routes: readonly string[] = [],
  ): Promise<void> {
    const device = `v${Deno.pid.toString(36)}${(++this.#devices).toString(36)}`;
    await this.#ip(host, [
      `link add ${device} type veth peer name eth0 netns ${guest.name}`,
      `link set ${device} master ${bridge} up`,
    ]);
    const assigned = addresses.map((each) => `address add ${each} dev eth0${each.includes(":") ? " nodad" : ""}`);
    await this.#ip(guest, [...assigned, "link set eth0 up", ...routes]);
  }

  async #ip(inside: Namespace, lines: readonly string[]): Promise<void> {
    const file = `${this.#folder}/ip-${++this.#files}`;
    Deno.writeTextFileSync(file, lines.join("\n") + "\n");
    await run("ip", "-n", inside.name, "-batch", file);
    Deno.removeSync(file);
  }
}

async function enableForwarding(namespace: Namespace): Promise<void> {
  await namespace.run("sh", "-ec", ["ipv4/ip_forward", "ipv6/conf/all/forwarding"].map(on).join("\n"));
}

const on = (name: string) => `echo 1 > /proc/sys/net/${name}`;

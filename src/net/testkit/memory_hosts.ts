/**
 * Which sockets are bound to which addresses in the network in memory.
 *
 * A network namespace is a number, as in `SocketOptions.namespace`; sockets without one share another namespace. Each
 * namespace has its own ports and its own loopback. An address that was assigned to a namespace is reached from all of
 * them; any other address belongs to the namespace from which it is dialled.
 */
import { ANY_V4, ANY_V6, formatAddress, type Ip, isIpv4, isLoopback, type SocketAddress } from "../address.ts";
import { ListenError } from "../network.ts";

/** The namespace of sockets for which none is given. */
export const OWN_NAMESPACE = -1;

/** A bound socket. */
export interface Binding {
  readonly namespace: number;
  readonly address: SocketAddress;
  readonly reusePort: boolean;
  /** `::` also takes IPv4. */
  readonly dualStack: boolean;
}

const FIRST_EPHEMERAL = 32_768;
const LAST_EPHEMERAL = 60_999;

/** The bound sockets of one protocol. */
export class MemoryHosts<L extends Binding> {
  readonly #listeners = new Set<L>();
  readonly #namespaces = new Map<Ip, number>();
  #lastPort = FIRST_EPHEMERAL - 1;

  /** Makes `ip` an address of `namespace`. */
  assign(namespace: number, ip: Ip): void {
    this.#namespaces.set(ip, namespace);
  }

  /** Returns the next port of the ephemeral range that no listener uses. */
  freePort(): number {
    const used = new Set([...this.#listeners].map((listener) => listener.address.port));
    do {
      this.#lastPort = this.#lastPort >= LAST_EPHEMERAL ? FIRST_EPHEMERAL : this.#lastPort + 1;
    } while (used.has(this.#lastPort));
    return this.#lastPort;
  }

  /** Throws {@link ListenError} `EADDRINUSE` where the kernel would. */
  bind(listener: L): void {
    for (const other of this.#listeners) {
      if (!collide(listener, other)) continue;
      const at = formatAddress(listener.address);
      const text = `failed to bind to address ${at}: Address already in use (os error 98)`;
      throw new ListenError(text, "EADDRINUSE", listener.address);
    }
    this.#listeners.add(listener);
  }

  /** Frees the address. */
  unbind(listener: L): void {
    this.#listeners.delete(listener);
  }

  /** The listener for a dial from `namespace` to `to`: one of this address before one of a wildcard. Null: none. */
  find(namespace: number, to: SocketAddress): L | null {
    const there = isLoopback(to.ip) ? namespace : this.#namespaces.get(to.ip) ?? namespace;
    const candidates = [...this.#listeners].filter((l) =>
      l.namespace === there && l.address.port === to.port && accepts(l, to.ip)
    );
    const best = candidates.find((l) => l.address.ip === to.ip) ?? candidates[0];
    if (best === undefined) return null;
    // Listeners that share a port take turns: this one becomes the last.
    this.#listeners.delete(best);
    this.#listeners.add(best);
    return best;
  }

  /** The source address that the kernel would choose in `namespace` for a connection to `to`. */
  sourceFor(namespace: number, to: Ip): Ip {
    if (isLoopback(to)) return to;
    for (const [ip, owner] of this.#namespaces) if (owner === namespace && isIpv4(ip) === isIpv4(to)) return ip;
    return to;
  }
}

function accepts(listener: Binding, ip: Ip): boolean {
  const { address } = listener;
  if (address.ip === ip) return true;
  if (address.ip === ANY_V4) return isIpv4(ip);
  return address.ip === ANY_V6 && (listener.dualStack || !isIpv4(ip));
}

function collide(a: Binding, b: Binding): boolean {
  if (a.namespace !== b.namespace || a.address.port !== b.address.port) return false;
  if (a.reusePort && b.reusePort) return false;
  return accepts(a, b.address.ip) || accepts(b, a.address.ip);
}

/**
 * Addresses of host names for the whole process (`docs/spec/inpod-dns.md` B6.2): from the hosts file and the nameservers
 * of its own `resolv.conf`, in its own namespace, without a mark. Equal names under way are asked for once.
 */
import type { Millis } from "../net/clock.ts";
import type { ResolverSettings } from "../config/resolver_settings.ts";
import { type Ip, isIpv4, parseIp, type SocketAddress } from "../net/address.ts";
import type { Network } from "../net/network.ts";
import type { HostResolver, ResolvedName, Resolving } from "../proxy/name_resolver.ts";
import type { FamilySettings } from "./family_lookup.ts";
import { type FlightResult, HostFlight } from "./host_flight.ts";
import type { HostsFile } from "./hosts_file.ts";
import { askLocally } from "./local_sources.ts";
import { candidateNames } from "./search_list.ts";
import { ServerList } from "./server_list.ts";
import { CLASS_IN, TYPE_A, TYPE_AAAA } from "./wire.ts";

const CACHE_ENTRIES = 4096;
const MAX_FLIGHTS = 256;
const MAX_WAITING = 4096;

type OnResult = (result: ResolvedName) => void;

interface Shared {
  readonly waiting: Set<OnResult>;
  flight: HostFlight | null;
}

interface Kept {
  readonly result: ResolvedName;
  readonly until: Millis;
}

export interface StubResolverParts {
  readonly network: Network;
  readonly resolver: ResolverSettings;
  readonly nameservers: readonly SocketAddress[];
  readonly hosts: HostsFile;
  /** `IPV6_ENABLED` */
  readonly ipv6: boolean;
  /** 16 bits that nobody can guess. */
  readonly randomId: () => number;
}

export class StubResolver implements HostResolver {
  readonly #parts: StubResolverParts;
  readonly #settings: FamilySettings;
  readonly #shared = new Map<string, Shared>();
  /** The least recently used first. */
  readonly #cache = new Map<string, Kept>();
  #waiting = 0;

  constructor(parts: StubResolverParts) {
    const { network, resolver, nameservers, randomId } = parts;
    this.#parts = parts;
    this.#settings = {
      network,
      sockets: {},
      servers: new ServerList(nameservers),
      timeout: resolver.timeout,
      attempts: resolver.attempts,
      edns: resolver.edns0,
      randomId,
    };
  }

  resolve(hostname: string, done: OnResult): Resolving {
    const name = hostname.toLowerCase();
    const known = this.#known(name) ?? this.#cached(name);
    if (known !== null) return this.#soon(known, done);
    let shared = this.#shared.get(name);
    if (this.#waiting >= MAX_WAITING || (shared === undefined && this.#shared.size >= MAX_FLIGHTS)) {
      return this.#soon({ kind: "failed", reason: "too many names are being resolved already" }, done);
    }
    shared ??= this.#begin(name);
    return this.#wait(name, shared, done);
  }

  /** Nobody who waits hears anything. */
  close(): void {
    for (const { flight } of this.#shared.values()) flight?.abort();
    this.#shared.clear();
    this.#cache.clear();
    this.#waiting = 0;
  }

  /** What needs no question: an address, the hosts file, loopback. */
  #known(name: string): ResolvedName | null {
    const literal = parseIp(name);
    if (literal !== null) return { kind: "addresses", addresses: [literal] };
    const absolute = name.replace(/\.$/, "");
    const answers = [TYPE_A, TYPE_AAAA].map((type) =>
      askLocally({ name: absolute, type, class: CLASS_IN }, this.#parts.hosts)
    );
    if (answers.every((answer) => answer === null)) return null;
    if (answers.some((answer) => answer?.kind === "error")) return { kind: "failed", reason: "NXDomain" };
    const addresses = answers.flatMap((answer) => answer?.kind === "records" ? answer.records.addresses : []);
    return { kind: "addresses", addresses: addresses.filter((ip: Ip) => this.#parts.ipv6 || isIpv4(ip)) };
  }

  #cached(name: string): ResolvedName | null {
    const kept = this.#cache.get(name);
    if (kept === undefined) return null;
    this.#cache.delete(name);
    if (kept.until <= this.#parts.network.now()) return null;
    this.#cache.set(name, kept);
    return kept.result;
  }

  #begin(name: string): Shared {
    const shared: Shared = { waiting: new Set(), flight: null };
    this.#shared.set(name, shared);
    const candidates = candidateNames(name, this.#parts.resolver);
    shared.flight = new HostFlight(this.#settings, candidates, this.#parts.ipv6, (result) => {
      this.#keep(name, result);
      this.#shared.delete(name);
      this.#waiting -= shared.waiting.size;
      for (const done of shared.waiting) done(result);
    });
    return shared;
  }

  #keep(name: string, result: FlightResult): void {
    if (result.lifetime <= 0) return;
    if (this.#cache.size >= CACHE_ENTRIES) {
      const [oldest] = this.#cache.keys();
      this.#cache.delete(oldest!);
    }
    this.#cache.set(name, { result, until: this.#parts.network.now() + 1000 * result.lifetime });
  }

  #wait(name: string, shared: Shared, done: OnResult): Resolving {
    let over = false;
    // Whoever was told, or went away, while the others are told is not told again.
    const own: OnResult = (result) => {
      if (over) return;
      over = true;
      done(result);
    };
    shared.waiting.add(own);
    this.#waiting++;
    return {
      abort: () => {
        if (over) return;
        over = true;
        if (this.#shared.get(name) !== shared || !shared.waiting.delete(own)) return;
        this.#waiting--;
        if (shared.waiting.size > 0) return;
        shared.flight?.abort();
        this.#shared.delete(name);
      },
    };
  }

  #soon(result: ResolvedName, done: OnResult): Resolving {
    const timer = this.#parts.network.after(0, () => done(result));
    return { abort: () => timer.cancel() };
  }
}

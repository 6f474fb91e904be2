/**
 * Resolves host names for the whole process (`docs/spec/inpod-dns.md` B6.2), with the hosts file and the nameservers of
 * its own `resolv.conf`, in its own namespace and without a mark. Equal names in flight share one lookup.
 */
import type { ResolverSettings } from "../config/resolver_settings.ts";
import { type Ip, isIpv4, parseIp, type SocketAddress } from "../net/address.ts";
import type { Millis } from "../net/clock.ts";
import type { Network } from "../net/network.ts";
import type { HostResolver, ResolvedName, Resolving } from "../proxy/name_resolver.ts";
import type { FamilySettings } from "./family_lookup.ts";
import { HostLookup, type HostLookupResult } from "./host_lookup.ts";
import type { HostsFile } from "./hosts_file.ts";
import { answerLocally } from "./local_sources.ts";
import { candidateNames } from "./search_list.ts";
import { ServerList } from "./server_list.ts";
import { CLASS_IN, TYPE_A, TYPE_AAAA } from "./wire.ts";

const CACHE_ENTRIES = 4096;
const MAX_LOOKUPS = 256;
const MAX_WAITING = 4096;

type OnResult = (result: ResolvedName) => void;

/** A lookup and the callbacks that wait for it. */
interface SharedLookup {
  readonly waiting: Set<OnResult>;
  lookup: HostLookup | null;
}

interface CachedResult {
  readonly result: ResolvedName;
  readonly until: Millis;
}

/** What the resolver needs. */
interface StubResolverParts {
  readonly network: Network;
  readonly resolver: ResolverSettings;
  readonly nameservers: readonly SocketAddress[];
  readonly hosts: HostsFile;
  /** `IPV6_ENABLED` */
  readonly ipv6: boolean;
  /** A random id of 16 bits that cannot be guessed. */
  readonly randomId: () => number;
}

/** A resolver with a cache. */
export class StubResolver implements HostResolver {
  readonly #parts: StubResolverParts;
  readonly #settings: FamilySettings;
  readonly #shared = new Map<string, SharedLookup>();
  /** The least recently used first. */
  readonly #cache = new Map<string, CachedResult>();
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
    if (this.#waiting >= MAX_WAITING || (shared === undefined && this.#shared.size >= MAX_LOOKUPS)) {
      return this.#soon({ kind: "failed", reason: "too many names are being resolved already" }, done);
    }
    shared ??= this.#begin(name);
    return this.#wait(name, shared, done);
  }

  /** Ends all lookups without calling callbacks. */
  close(): void {
    for (const { lookup } of this.#shared.values()) lookup?.abort();
    this.#shared.clear();
    this.#cache.clear();
    this.#waiting = 0;
  }

  /** The result for names that need no question: addresses, names of the hosts file, loopback. */
  #known(name: string): ResolvedName | null {
    const literal = parseIp(name);
    if (literal !== null) return { kind: "addresses", addresses: [literal] };
    const absolute = name.replace(/\.$/, "");
    const answers = [TYPE_A, TYPE_AAAA].map((type) =>
      answerLocally({ name: absolute, type, class: CLASS_IN }, this.#parts.hosts)
    );
    if (answers.every((answer) => answer === null)) return null;
    if (answers.some((answer) => answer?.kind === "error")) return { kind: "failed", reason: "NXDomain" };
    const addresses = answers.flatMap((answer) => answer?.kind === "records" ? answer.records.addresses : []);
    return { kind: "addresses", addresses: addresses.filter((ip: Ip) => this.#parts.ipv6 || isIpv4(ip)) };
  }

  #cached(name: string): ResolvedName | null {
    const cached = this.#cache.get(name);
    if (cached === undefined) return null;
    this.#cache.delete(name);
    if (cached.until <= this.#parts.network.now()) return null;
    this.#cache.set(name, cached);
    return cached.result;
  }

  #begin(name: string): SharedLookup {
    const shared: SharedLookup = { waiting: new Set(), lookup: null };
    this.#shared.set(name, shared);
    const candidates = candidateNames(name, this.#parts.resolver);
    shared.lookup = new HostLookup(this.#settings, candidates, this.#parts.ipv6, (result) => {
      this.#store(name, result);
      this.#shared.delete(name);
      this.#waiting -= shared.waiting.size;
      for (const done of shared.waiting) done(result);
    });
    return shared;
  }

  #store(name: string, result: HostLookupResult): void {
    if (result.lifetime <= 0) return;
    if (this.#cache.size >= CACHE_ENTRIES) {
      const [oldest] = this.#cache.keys();
      this.#cache.delete(oldest!);
    }
    this.#cache.set(name, { result, until: this.#parts.network.now() + 1000 * result.lifetime });
  }

  #wait(name: string, shared: SharedLookup, done: OnResult): Resolving {
    let over = false;
    // Guards against a second call when a callback aborts another one, or itself, during the notification.
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
        shared.lookup?.abort();
        this.#shared.delete(name);
      },
    };
  }

  #soon(result: ResolvedName, done: OnResult): Resolving {
    const timer = this.#parts.network.after(0, () => done(result));
    return { abort: () => timer.cancel() };
  }
}

/** Interfaces to resolve names, which the room `dns` implements (`docs/spec/inpod-dns.md` B5.13, B6). */
import type { Ip } from "../net/address.ts";

/** The result of a resolution. */
export type ResolvedName =
  /** The addresses in the order of the answer; may be empty. */
  | { readonly kind: "addresses"; readonly addresses: readonly Ip[] }
  /** `reason`: for the log. `invalid`: the text is no DNS name. */
  | { readonly kind: "failed" | "invalid"; readonly reason: string };

/** A resolution in progress. */
export interface Resolving {
  /** Ends it without a callback. Idempotent. */
  abort(): void;
}

/** Resolves in the process's own namespace: the names of workloads that have no address. */
export interface HostResolver {
  /** Resolves to addresses of the families in use. `done` is called once and never from inside, unless aborted. */
  resolve(hostname: string, done: (result: ResolvedName) => void): Resolving;
}

/** Resolves as the DNS proxy of one pod does: names of services first. For SOCKS5 clients that give a name. */
export interface PodResolver {
  /** `done` is called once and never from inside, unless aborted. */
  resolve(hostname: string, family: "ipv4" | "ipv6", done: (result: ResolvedName) => void): Resolving;
}

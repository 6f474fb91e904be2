/** Turning names into addresses, as the proxy wants it; who does it stands above (`docs/spec/inpod-dns.md` B5.13, B6). */
import type { Ip } from "../net/address.ts";

export type ResolvedName =
  /** In the order of the answer; may be empty. */
  | { readonly kind: "addresses"; readonly addresses: readonly Ip[] }
  /** `reason`: for the log. `invalid`: it is no name that could be asked for. */
  | { readonly kind: "failed" | "invalid"; readonly reason: string };

export interface Resolving {
  /** Nothing is heard of it any more. Idempotent. */
  abort(): void;
}

/** Of the whole process, from its own namespace: for workloads that are known by name only. */
export interface HostResolver {
  /** Both families where both are in use. `done` is called once, never from inside, unless aborted. */
  resolve(hostname: string, done: (result: ResolvedName) => void): Resolving;
}

/** Of one pod, which sees its services first: for clients that name their destination. */
export interface PodResolver {
  /** `done` is called once, never from inside, unless aborted. */
  resolve(hostname: string, family: "ipv4" | "ipv6", done: (result: ResolvedName) => void): Resolving;
}

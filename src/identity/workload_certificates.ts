/**
 * Prefetches and removes certificates according to the workloads that the control plane sends
 * (`docs/spec/identity-spire.md` 2.5, 2.6).
 */
import type { CertificateSubject } from "./authority.ts";
import type { SpiffeId } from "./spiffe_id.ts";

/** The relevant fields of a workload. */
export interface CertificateHolder {
  readonly uid: string;
  /** Null where its trust domain, namespace and service account do not form a SPIFFE id. */
  readonly id: SpiffeId | null;
  readonly node: string;
  readonly nativeTunnel: boolean;
  /** Peers reach it by HBONE, not by plain TCP. */
  readonly hbone: boolean;
}

/** Which workloads count. */
export interface PrefetchRules {
  /** A dedicated proxy fetches only for its own pod: when a connection needs it, or at the start for a static mesh. */
  readonly mode: "shared" | "dedicated";
  /** Null: not known; then nothing is prefetched, and certificates are kept for workloads of any node. */
  readonly localNode: string | null;
  /** As the authority says. With "workload" nothing is prefetched, as the pod may not run yet. */
  readonly keyedBy: "identity" | "workload";
}

/** The methods of the certificate manager that are used. */
export interface CertificateKeeper {
  prefetch(subject: CertificateSubject): void;
  remove(subject: CertificateSubject): void;
}

/** Keeps the identities of this node's workloads until these are removed. */
export class WorkloadCertificates {
  readonly #keeper: CertificateKeeper;
  readonly #rules: PrefetchRules;
  readonly #holders = new Map<string, SpiffeId>();
  /** The number of workloads per identity. */
  readonly #counts = new Map<SpiffeId, number>();

  constructor(keeper: CertificateKeeper, rules: PrefetchRules) {
    this.#keeper = keeper;
    this.#rules = rules;
  }

  /** Applies a new or changed workload. */
  upsert(holder: CertificateHolder): void {
    const { uid, id } = holder;
    if (this.#rules.mode === "dedicated" || !this.#isLocal(holder)) return;
    const before = this.#holders.get(uid);
    if (before === id) return;
    // The new identity is counted before the old one is removed, so that no certificate in use is removed.
    if (id !== null) this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
    if (before !== undefined) this.remove(uid);
    if (id === null) return;
    this.#holders.set(uid, id);
    if (this.#shouldPrefetch(holder)) this.#keeper.prefetch({ id, workloadUid: null });
  }

  /** Applies the removal of a workload: removes its certificate if no other workload uses it. */
  remove(uid: string): void {
    const id = this.#holders.get(uid);
    if (id === undefined) return;
    this.#holders.delete(uid);
    const others = (this.#counts.get(id) ?? 1) - 1;
    if (others > 0) this.#counts.set(id, others);
    else this.#counts.delete(id);
    if (this.#rules.keyedBy === "workload") this.#keeper.remove({ id, workloadUid: uid });
    else if (others === 0) this.#keeper.remove({ id, workloadUid: null });
  }

  #isLocal(holder: CertificateHolder): boolean {
    return this.#rules.localNode === null || holder.node === this.#rules.localNode;
  }

  #shouldPrefetch(holder: CertificateHolder): boolean {
    return this.#rules.keyedBy === "identity" && this.#rules.localNode !== null &&
      (holder.nativeTunnel || holder.hbone);
  }
}

/**
 * Which certificates to fetch before somebody needs them, and when to drop them: follows the workloads that the
 * control plane announces (`docs/spec/identity-spire.md` 2.5, 2.6).
 */
import type { CertificateSubject } from "./authority.ts";
import type { SpiffeId } from "./spiffe_id.ts";

/** What counts of an announced workload. */
export interface CertificateHolder {
  readonly uid: string;
  /** Null where its parts make no SPIFFE id. */
  readonly id: SpiffeId | null;
  readonly node: string;
  readonly nativeTunnel: boolean;
  /** It is reached by HBONE, not by plain TCP. */
  readonly hbone: boolean;
}

export interface PrefetchRules {
  /** A dedicated proxy fetches for its own pod only, when that pod needs it. */
  readonly mode: "shared" | "dedicated";
  /** Null: not known; then nothing is prefetched, and every workload counts when it comes to forgetting. */
  readonly localNode: string | null;
  /** As of the authority. With "workload" a pod may not run yet when it is announced: nothing is prefetched. */
  readonly keyedBy: "identity" | "workload";
}

/** The part of the certificate manager that is used. */
export interface CertificateKeeper {
  prefetch(subject: CertificateSubject): void;
  forget(subject: CertificateSubject): void;
}

/** Remembers the announced workloads of this node; emptied by their removal. */
export class WorkloadCertificates {
  readonly #keeper: CertificateKeeper;
  readonly #rules: PrefetchRules;
  readonly #holders = new Map<string, SpiffeId>();
  /** How many holders an identity has. */
  readonly #counts = new Map<SpiffeId, number>();

  constructor(keeper: CertificateKeeper, rules: PrefetchRules) {
    this.#keeper = keeper;
    this.#rules = rules;
  }

  /** The workload was announced, for the first time or again. */
  upsert(holder: CertificateHolder): void {
    const { uid, id } = holder;
    if (this.#rules.mode === "dedicated" || !this.#isLocal(holder)) return;
    const before = this.#holders.get(uid);
    if (before === id) return;
    // Counted before the old one is dropped, so that nothing is forgotten that is still needed.
    if (id !== null) this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
    if (before !== undefined) this.remove(uid);
    if (id === null) return;
    this.#holders.set(uid, id);
    if (this.#shouldPrefetch(holder)) this.#keeper.prefetch({ id, workloadUid: null });
  }

  /** The workload was removed: its certificate goes with the last workload of its identity, or with the pod. */
  remove(uid: string): void {
    const id = this.#holders.get(uid);
    if (id === undefined) return;
    this.#holders.delete(uid);
    const others = (this.#counts.get(id) ?? 1) - 1;
    if (others > 0) this.#counts.set(id, others);
    else this.#counts.delete(id);
    if (this.#rules.keyedBy === "workload") this.#keeper.forget({ id, workloadUid: uid });
    else if (others === 0) this.#keeper.forget({ id, workloadUid: null });
  }

  #isLocal(holder: CertificateHolder): boolean {
    return this.#rules.localNode === null || holder.node === this.#rules.localNode;
  }

  #shouldPrefetch(holder: CertificateHolder): boolean {
    return this.#rules.keyedBy === "identity" && this.#rules.localNode !== null &&
      (holder.nativeTunnel || holder.hbone);
  }
}

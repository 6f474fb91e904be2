/** Who may connect: the identities of the mesh, and clients without one. */
import type { Ip } from "../../net/address.ts";
import type { Workload } from "../model/model.ts";
import { identityOf, type SpiffeId } from "../model/workload_identity.ts";

/** Clients that policies see alike, apart from their addresses. */
export interface SourceGroup {
  /** Null: plain connections. */
  readonly identity: SpiffeId | null;
  /** The addresses of its workloads; one at least. */
  readonly ips: Ip[];
  workloads: number;
}

/** The address of a client that is not in the mesh. */
const OUTSIDE = "0.0.0.0" as Ip;

/** Groups workloads by identity. Those without a proxy connect without one, as clients from outside do. */
export class Sources {
  readonly #byAccount = new Map<string, SourceGroup>();
  readonly #plain: SourceGroup = { identity: null, ips: [OUTSIDE], workloads: 0 };

  add(workload: Workload): void {
    const group = workload.protocol === "TCP" ? this.#plain : this.#groupOf(workload);
    group.workloads++;
    group.ips.push(...workload.workloadIps);
  }

  get all(): readonly SourceGroup[] {
    return [...this.#byAccount.values(), this.#plain].filter(({ ips }) => ips.length > 0);
  }

  #groupOf(workload: Workload): SourceGroup {
    const key = `${workload.trustDomain}/${workload.namespace}/${workload.serviceAccount}`;
    let group = this.#byAccount.get(key);
    if (group === undefined) {
      const identity = identityOf(workload);
      group = identity === null ? this.#plain : { identity, ips: [], workloads: 0 };
      this.#byAccount.set(key, group);
    }
    return group;
  }
}

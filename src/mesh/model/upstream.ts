import type { Service, Workload } from "./model.ts";
import { expectedIdentities, type SpiffeId } from "./workload_identity.ts";

/** A workload to send a connection to, and the port to reach there. */
export class Upstream {
  readonly workload: Workload;
  readonly port: number;
  /** The service through which it was chosen. */
  readonly service: Service | null;
  /** The service has another endpoint that can be used when a connection to this one fails. */
  readonly hasOthers: boolean;
  #identities: readonly SpiffeId[] | null = null;

  constructor(workload: Workload, port: number, service: Service | null, hasOthers = false) {
    this.workload = workload;
    this.port = port;
    this.service = service;
    this.hasOthers = hasOthers;
  }

  /** Identities to accept there: the service's alternative names, then the workload's own id. */
  get identities(): readonly SpiffeId[] {
    return this.#identities ??= expectedIdentities(this.service, this.workload);
  }
}

/**
 * Checks whether a pod's network namespace belongs to the workload of that name in the mesh. Nothing is served before
 * that check: a namespace that the agent hands over under a wrong name must not act as another workload, and a pod must
 * not act as the earlier workload of its name.
 *
 * The check is that the namespace has one of the workload's addresses. A pod that is created again under its old name
 * (of a StatefulSet) has a new address, which the mesh does not have while the control plane is away. Then the pod is
 * served on the CNI agent's word until the control plane answers:
 *
 *     added while the mesh is current ──▶ strict
 *     added while the mesh is stale ───▶ trusting ──the mesh has its address: confirmed──▶ strict
 *                                           └──the mesh is current again without it: ended──▶ strict
 */
import type { Workload } from "../mesh/model/model.ts";
import type { MeshState } from "../mesh/state/state.ts";
import type { Ip } from "../net/address.ts";
import { ListenError, type Network } from "../net/network.ts";
import { errnoName, OUT_OF_RESOURCES } from "../os/errno.ts";
import type { Identified } from "../mesh/state/local_workload.ts";
import type { LogScope } from "../telemetry/log.ts";

const SINK = { onDatagram() {} };
/** They say nothing about an address. */
const WITHOUT_RESOURCES: ReadonlySet<string> = new Set(OUT_OF_RESOURCES.map(errnoName));
const NOT_THERE =
  "the mesh has no workload of this name and service account on this node, and the control plane is away " +
  "and cannot be asked";

const MISTAKEN_OR_BEHIND = "; either it was handed over as another pod, or the mesh is behind";
const CANNOT_ASK = "; the control plane is away and cannot be asked";
const ENDED = "nothing is served for this pod any more, and its connections are cut: the control plane answers again";

/** What a guard needs. */
interface GuardParts {
  readonly network: Network;
  readonly state: MeshState;
  /** Descriptor of the pod's namespace. */
  readonly namespace: number;
  /** The addresses of that namespace, as `namespaceAddresses` returns them. */
  readonly addresses: (namespace: number) => readonly Ip[];
  readonly log: LogScope;
  /** One of the isolates that serve the pod logs lines at their own level. The others log them at debug. */
  readonly announce: boolean;
  /** The control plane's response ended what was served on the agent's word: the pod's connections must be cut. */
  readonly onContradicted: () => void;
}

/** The check could not be made. */
interface Unchecked {
  readonly kind: "unchecked";
  readonly reason: string;
}

/** Identifies the workload of one pod, for `LocalWorkload`. */
export class PodGuard {
  readonly #parts: GuardParts;
  #trust: "strict" | "trusting";
  /** Addresses of the workload when the check last succeeded; it is repeated for other ones only. */
  #checkedAddresses: string | null = null;
  /** The workload that is served on the agent's word, and the mesh's workload that it was made from. */
  #provisional: { readonly found: Workload; readonly workload: Workload } | null = null;
  /** The reason why nothing is served, as it was last logged. */
  #loggedReason: string | null = null;

  constructor(parts: GuardParts) {
    this.#parts = parts;
    this.#trust = parts.state.freshness === "stale" ? "trusting" : "strict";
  }

  /** `found`: the mesh's workload with the pod's name, service account and node. */
  readonly identify = (found: Workload | null): Identified => {
    const identified = found === null ? this.#absent() : this.#check(found);
    if (identified.kind === "unchecked") return this.#notChecked(identified.reason);
    if (identified.kind === "unknown") this.#rejected(found, identified.reason);
    else if (identified.workload === found) this.#confirmed(found);
    return identified;
  };

  #absent(): Identified {
    this.#checkedAddresses = null;
    // While the control plane is connected, it sends a newly added pod in a moment: that needs no warning.
    return { kind: "unknown", reason: this.#parts.state.freshness === "stale" ? NOT_THERE : null };
  }

  #check(found: Workload): Identified | Unchecked {
    const addresses = found.workloadIps.join(", ");
    if (addresses === this.#checkedAddresses) return { kind: "known", workload: found };
    const has = !needsOwnAddress(found) || this.#hasOneOf(found.workloadIps);
    if (has === true) {
      this.#checkedAddresses = addresses;
      return { kind: "known", workload: found };
    }
    this.#checkedAddresses = null;
    if (this.#trust === "trusting" && this.#parts.state.freshness === "stale") return this.#provisionally(found);
    if (has !== false) {
      const what = "it cannot be checked whether its network namespace has one of the workload's addresses";
      return { kind: "unchecked", reason: `${what}: ${has}` };
    }
    const reason = `its network namespace has none of the workload's addresses (${addresses})`;
    return { kind: "unknown", reason };
  }

  #provisionally(found: Workload): Identified {
    if (this.#provisional?.found === found) return { kind: "known", workload: this.#provisional.workload };
    const { state } = this.#parts;
    const own = this.#ownAddresses();
    const known = found.workloadIps.join(", ");
    if (typeof own === "string") {
      return { kind: "unknown", reason: `the addresses of its network namespace cannot be read: ${own}` };
    }
    if (own.length === 0) {
      return { kind: "unknown", reason: `its network namespace has no address yet (the workload had ${known})` };
    }
    for (const ip of own) {
      const other = state.workloadByAddress(found.network, ip);
      if (other === null || other.uid === found.uid) continue;
      return {
        kind: "unknown",
        reason: `its network namespace has an address of another workload (${other.uid}, ${ip})`,
      };
    }
    const workload = { ...found, workloadIps: own };
    if (this.#provisional === null) {
      this.#log(
        "warn",
        `the pod is served as ${found.uid} because the node's agent says so: the control plane has been away since ` +
          `before the pod came and last named this workload with the address ${known}; the pod's own is taken from its ` +
          `network namespace: ${own.join(", ")}. The next answer of the control plane confirms or ends this`,
      );
    }
    this.#provisional = { found, workload };
    return { kind: "known", workload };
  }

  /** Nothing was learnt about the workload, so what is served on the agent's word is neither confirmed nor ended. */
  #notChecked(reason: string): Identified {
    if (reason !== this.#loggedReason) {
      this.#log("warn", `nothing is served for this pod yet: ${reason}; it is checked again with the next connection`);
    }
    this.#loggedReason = reason;
    return { kind: "unknown", reason };
  }

  #rejected(found: Workload | null, reason: string | null): void {
    const isCurrent = this.#parts.state.freshness === "current";
    const wasServed = this.#provisional !== null;
    // The control plane's answer may be applied in parts: only the complete answer ends what is served.
    if (wasServed && !isCurrent) return;
    this.#provisional = null;
    if (isCurrent) this.#trust = "strict";
    if (wasServed) {
      this.#log("warn", `${ENDED}, and ${reason ?? "knows no workload of this name and service account on this node"}`);
      this.#parts.network.nextTurn({ runTurn: () => this.#parts.onContradicted() });
    } else if (reason !== null && reason !== this.#loggedReason) {
      const hint = found === null ? "" : isCurrent ? MISTAKEN_OR_BEHIND : CANNOT_ASK;
      this.#log("warn", `nothing is served for this pod yet: ${reason}${hint}`);
    }
    this.#loggedReason = reason ?? this.#loggedReason;
  }

  #confirmed({ workloadIps }: Workload): void {
    const addresses = workloadIps.join(", ");
    if (this.#provisional !== null) {
      this.#log("info", `the control plane confirms the workload of this pod, at ${addresses}`);
    } else if (this.#loggedReason !== null) {
      this.#log("info", `the pod's network namespace has an address of its workload now: ${addresses}`);
    }
    this.#trust = "strict";
    this.#provisional = null;
    this.#loggedReason = null;
  }

  #log(level: "warn" | "info", text: string): void {
    const { log, announce } = this.#parts;
    log[announce ? level : "debug"](text);
  }

  /** The addresses of the namespace, or the reason why they cannot be read. */
  #ownAddresses(): readonly Ip[] | string {
    const { addresses, namespace } = this.#parts;
    try {
      return addresses(namespace);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /**
   * Whether the namespace has one of these addresses; a text: why that cannot be checked. The kernel lets a socket bind
   * only to addresses of its own namespace.
   */
  #hasOneOf(addresses: readonly Ip[]): boolean | string {
    const { network, namespace } = this.#parts;
    let failure: string | null = null;
    for (const ip of addresses) {
      try {
        network.udp({ address: { ip, port: 0 }, namespace }, SINK).close();
        return true;
      } catch (error) {
        if (!(error instanceof ListenError)) throw error;
        if (WITHOUT_RESOURCES.has(error.code)) failure = error.message;
      }
    }
    return failure ?? false;
  }
}

/** With the node's network a pod has no address of its own; without addresses there is nothing to check. */
function needsOwnAddress({ networkMode, workloadIps }: Workload): boolean {
  return networkMode === "Standard" && workloadIps.length > 0;
}

/**
 * Whether a pod's network namespace is that of the workload which the mesh names. Nothing is served for it before:
 * neither may a namespace that was handed over under a wrong name act as another workload, nor a pod as the one whose
 * name and whose place in the mesh it has just taken over.
 *
 * The proof is one of the workload's addresses in the namespace. A pod that comes back under its name (of a
 * StatefulSet) has a new address, which the mesh cannot know while the control plane is away. Then the agent's word
 * counts until the control plane answers:
 *
 *     came while the mesh is current ──▶ strict
 *     came while the mesh is stale ───▶ trusting ──the mesh has its address: confirmed──▶ strict
 *                                          └──the mesh is current again and has not: ended──▶ strict
 */
import type { Workload } from "../mesh/model.ts";
import type { MeshState } from "../mesh/state.ts";
import type { Ip } from "../net/address.ts";
import { ListenError, type Network } from "../net/network.ts";
import type { Identified } from "../proxy/local_workload.ts";
import type { LogScope } from "../telemetry/log.ts";

const SINK = { onDatagram() {} };
const NOT_THERE =
  "the mesh has no workload of this name and service account on this node, and the control plane is away " +
  "and cannot be asked";

const MISTAKEN_OR_BEHIND = "; either it was handed over as another pod, or the mesh is behind";
const CANNOT_ASK = "; the control plane is away and cannot be asked";
const ENDED = "nothing is served for this pod any more, and its connections are cut: the control plane answers again";

export interface GuardParts {
  readonly network: Network;
  readonly state: MeshState;
  /** Descriptor of the pod's namespace. */
  readonly namespace: number;
  /** What that has of its own, as `namespaceAddresses`. */
  readonly addresses: (namespace: number) => readonly Ip[];
  readonly log: LogScope;
  /** Lines stand in the log at their level: for one of the isolates that serve the pod. Of the others at debug. */
  readonly announce: boolean;
}

export class PodGuard {
  readonly #parts: GuardParts;
  #trust: "strict" | "trusting";
  /** Addresses of the workload when it was last believed; only other ones are looked at again. */
  #believed: string | null = null;
  /** The workload as it is served by the agent's word, and what the mesh had when it was made. */
  #provisional: { readonly found: Workload; readonly workload: Workload } | null = null;
  /** Why nothing is served, as the log has it. */
  #told: string | null = null;
  /** The control plane's answer ended what was served by the agent's word: connections are to be cut. */
  onContradicted: () => void = () => {};

  constructor(parts: GuardParts) {
    this.#parts = parts;
    this.#trust = parts.state.freshness === "stale" ? "trusting" : "strict";
  }

  /** `found`: what the mesh has by the pod's name, service account and node. */
  readonly identify = (found: Workload | null): Identified => {
    const identified = found === null ? this.#absent() : this.#judge(found);
    if (identified.kind === "unknown") this.#unserved(found, identified.reason);
    else if (identified.workload === found) this.#proven(found);
    return identified;
  };

  #absent(): Identified {
    this.#believed = null;
    // While the control plane answers it is about to name a pod that has just come: no reason for a warning.
    return { kind: "unknown", reason: this.#parts.state.freshness === "stale" ? NOT_THERE : null };
  }

  #judge(found: Workload): Identified {
    const addresses = found.workloadIps.join(", ");
    if (addresses === this.#believed) return { kind: "known", workload: found };
    if (!needsOwnAddress(found) || found.workloadIps.some((ip) => this.#has(ip))) {
      this.#believed = addresses;
      return { kind: "known", workload: found };
    }
    this.#believed = null;
    if (this.#trust === "trusting" && this.#parts.state.freshness === "stale") return this.#asTheAgentSays(found);
    const reason = `its network namespace has none of the workload's addresses (${addresses})`;
    return { kind: "unknown", reason };
  }

  #asTheAgentSays(found: Workload): Identified {
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
      this.#say(
        "warn",
        `the pod is served as ${found.uid} because the node's agent says so: the control plane has been away since ` +
          `before the pod came and last named this workload with the address ${known}; the pod's own is taken from its ` +
          `network namespace: ${own.join(", ")}. The next answer of the control plane confirms or ends this`,
      );
    }
    this.#provisional = { found, workload };
    return { kind: "known", workload };
  }

  #unserved(found: Workload | null, reason: string | null): void {
    const isCurrent = this.#parts.state.freshness === "current";
    const wasServed = this.#provisional !== null;
    // The control plane's answer may be applied in parts: only the whole of it ends what is served.
    if (wasServed && !isCurrent) return;
    this.#provisional = null;
    if (isCurrent) this.#trust = "strict";
    if (wasServed) {
      this.#say("warn", `${ENDED}, and ${reason ?? "knows no workload of this name and service account on this node"}`);
      this.#parts.network.nextTurn({ runTurn: () => this.onContradicted() });
    } else if (reason !== null && reason !== this.#told) {
      const hint = found === null ? "" : isCurrent ? MISTAKEN_OR_BEHIND : CANNOT_ASK;
      this.#say("warn", `nothing is served for this pod yet: ${reason}${hint}`);
    }
    this.#told = reason ?? this.#told;
  }

  #proven({ workloadIps }: Workload): void {
    const addresses = workloadIps.join(", ");
    if (this.#provisional !== null) {
      this.#say("info", `the control plane confirms the workload of this pod, at ${addresses}`);
    } else if (this.#told !== null) {
      this.#say("info", `the pod's network namespace has an address of its workload now: ${addresses}`);
    }
    this.#trust = "strict";
    this.#provisional = null;
    this.#told = null;
  }

  #say(level: "warn" | "info", text: string): void {
    const { log, announce } = this.#parts;
    log[announce ? level : "debug"](text);
  }

  /** Or why they cannot be had. */
  #ownAddresses(): readonly Ip[] | string {
    const { addresses, namespace } = this.#parts;
    try {
      return addresses(namespace);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** The kernel lets a socket bind to addresses of its namespace only. */
  #has(ip: Ip): boolean {
    const { network, namespace } = this.#parts;
    try {
      network.udp({ address: { ip, port: 0 }, namespace }, SINK).close();
      return true;
    } catch (error) {
      if (error instanceof ListenError) return false;
      throw error;
    }
  }
}

/** With the node's network there is nothing of its own; without an address there is nothing to look for. */
function needsOwnAddress({ networkMode, workloadIps }: Workload): boolean {
  return networkMode === "Standard" && workloadIps.length > 0;
}

/**
 * What `ztunnel explain` says: the way a connection would take and what decided it. Plain values, sent as JSON. The
 * texts are for people; `rule`, `code`, `kind` and the names of fields are stable.
 */
import type { Decision } from "../policy/authorize.ts";
import type { RefusalCode } from "../resolve/outcome.ts";
import type { Reason } from "../model/reasons.ts";
import type { OutboundRoute } from "../resolve/outbound.ts";

/** As it was typed. */
export interface ExplainQuestion {
  /** `namespace/name`, a uid or an address. */
  readonly from: string;
  /** `ip:port`, `[ip]:port`, `hostname:port` or `namespace/name:port`. */
  readonly to: string;
}

/** What the proxy that is asked about was told. */
export interface ExplainSettings {
  /** `NETWORK` */
  readonly network: string;
  readonly hbonePort: number;
  /** Never proxied to. */
  readonly ownPorts: readonly number[];
  readonly localhostAppTunnel: boolean;
  /** Names that are not known are looked up at the control plane. */
  readonly onDemand: boolean;
  readonly dns: {
    readonly clusterDomain: string;
    /** Null: those of the client's namespace. */
    readonly searchDomains: readonly string[] | null;
    readonly preferredNamespace: string | null;
    readonly ipv6: boolean;
  };
}

export type ExplainAnswer =
  | { readonly kind: "explanation"; readonly explanation: Explanation }
  | { readonly kind: "error"; readonly error: ExplainError };

export interface ExplainError {
  readonly code:
    | "BAD_SOURCE"
    | "UNKNOWN_SOURCE"
    | "AMBIGUOUS_SOURCE"
    | "BAD_TARGET"
    | "UNKNOWN_TARGET"
    | "AMBIGUOUS_TARGET"
    /** The question is fine, the answer failed. */
    | "FAILED";
  readonly message: string;
  /** What may have been meant: names to ask with. */
  readonly candidates: readonly string[];
}

/** `depends`: on which of several ways chance chooses. */
export type Outlook = "allowed" | "refused" | "depends";

export interface Explanation {
  /** Null for an address that no workload has. */
  readonly from: Party | null;
  /** The client's address, where it has one. */
  readonly fromAddress: string;
  readonly to: Target;
  readonly outlook: Outlook;
  /** In one sentence. */
  readonly summary: string;
  /** Only the first has the reasons of its outbound decision in full: they differ in what chance drew. */
  readonly ways: readonly Way[];
  /** Further ways that were not followed. */
  readonly more: number;
  /** Workloads that would be endpoints of the service if they were ready. */
  readonly unready: readonly string[];
}

export interface Target {
  readonly asked: string;
  /** What the client would connect to, `ip:port`. */
  readonly address: string;
  /** How the name became an address; empty for an address. */
  readonly because: readonly Reason[];
}

export interface Party {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** SPIFFE id, null where it has none. */
  readonly identity: string | null;
  readonly node: string;
  /** HBONE: a proxy stands before it, or it speaks HBONE itself. */
  readonly protocol: "TCP" | "HBONE";
}

/** One of the ways the connection may take. */
export interface Way {
  /** 0 to 1. */
  readonly chance: number;
  readonly outlook: Outlook;
  /** The connection that leaves the client's side. */
  readonly hop: Hop;
  /** What a waypoint would do next; null: the hop leads to the destination itself, or out of sight. */
  readonly onward: Onward | null;
}

export interface Onward {
  readonly text: string;
  readonly hops: readonly Hop[];
  /** Further destinations that were not followed. */
  readonly more: number;
}

export interface Hop {
  /** Who makes the connection. */
  readonly by: "proxy" | "client" | "waypoint";
  readonly because: readonly Reason[];
  readonly outcome: HopRoute | HopRefusal;
  /** At the other end, where that is a workload; null after a refusal too. */
  readonly admission: Admission | null;
}

export interface HopRefusal {
  readonly kind: "refusal";
  readonly code: RefusalCode | "NO_IDENTITY" | "NOBODY_EXPECTED";
  /** As the access log would say it. */
  readonly message: string;
}

export interface HopRoute {
  readonly kind: "route";
  readonly protocol: "TCP" | "HBONE" | "DOUBLEHBONE";
  /** What is dialled: `ip:port`, or `hostname:port` where the proxy resolves the name. */
  readonly dial: string;
  /** The target of the CONNECT; null for TCP. */
  readonly authority: string | null;
  readonly destination: Party | null;
  /** `namespace/hostname` */
  readonly service: string | null;
  /** Whom the proxy shows itself as; null for TCP. */
  readonly shows: string | null;
  /** Whom it accepts at the other end. */
  readonly expects: readonly string[];
  /** Whom it accepts behind a gateway. */
  readonly expectsBehind: readonly string[];
  /** What is dialled. What lies behind a `gateway` or `outside` is not known here. */
  readonly leadsTo: OutboundRoute["leadsTo"];
}

/** What happens at the workload that is connected to. */
export interface Admission {
  readonly at: Party;
  /** Null: the proxy of this mesh decides there. Otherwise why it does not. */
  readonly notEnforced: string | null;
  readonly because: readonly Reason[];
  readonly allow: boolean;
  /** The refusal as the access log would say it; null where it is allowed. */
  readonly message: string | null;
  readonly decision: Decision | null;
  /** The policy that decided. */
  readonly policy: string | null;
  /** The application's address. */
  readonly application: string | null;
  /** Every policy of the workload, in the order in which they are asked. */
  readonly policies: readonly PolicyFinding[];
}

export interface PolicyFinding {
  readonly key: string;
  /** Null: not known. */
  readonly action: "Allow" | "Deny" | null;
  readonly scope: "Global" | "Namespace" | "WorkloadSelector" | null;
  readonly dryRun: boolean;
  readonly result: "matches" | "does-not-match" | "not-asked" | "unknown";
  readonly decides: boolean;
  readonly details: readonly string[];
}

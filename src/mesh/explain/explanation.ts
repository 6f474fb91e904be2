/**
 * The answer of `ztunnel explain`: the ways a connection may take and what decides about them. Plain values, sent as
 * JSON. The texts are for people; `rule`, `code`, `kind` and the names of fields are stable.
 */
import type { Decision } from "../policy/authorize.ts";
import type { RefusalCode } from "../resolve/outcome.ts";
import type { Reason } from "../model/reasons.ts";
import type { OutboundRoute } from "../resolve/outbound.ts";

/** The question, as it was typed. */
export interface ExplainQuestion {
  /** `namespace/name`, a uid or an address. */
  readonly from: string;
  /** `ip:port`, `[ip]:port`, `hostname:port` or `namespace/name:port`. */
  readonly to: string;
}

/** The settings of the proxy that decide about connections. */
export interface ExplainSettings {
  /** `NETWORK` */
  readonly network: string;
  /** The port on which pods take HBONE. */
  readonly hbonePort: number;
  /** Ports of the proxy itself, to which it never connects. */
  readonly ownPorts: readonly number[];
  readonly localhostAppTunnel: boolean;
  /** Whether unknown names are looked up at the control plane. */
  readonly onDemand: boolean;
  readonly dns: {
    readonly clusterDomain: string;
    /** Null: those of the client's namespace. */
    readonly searchDomains: readonly string[] | null;
    readonly preferredServiceNamespace: string | null;
    readonly ipv6: boolean;
  };
}

/** The answer to a question. */
export type ExplainAnswer =
  | { readonly kind: "explanation"; readonly explanation: Explanation }
  | { readonly kind: "error"; readonly error: ExplainError };

/** Why a question has no answer. */
export interface ExplainError {
  readonly code:
    | "BAD_SOURCE"
    | "UNKNOWN_SOURCE"
    | "AMBIGUOUS_SOURCE"
    | "BAD_TARGET"
    | "UNKNOWN_TARGET"
    | "AMBIGUOUS_TARGET"
    /** The question is valid, computing the answer failed. */
    | "FAILED";
  readonly message: string;
  /** Similar names, as a question may use them. */
  readonly candidates: readonly string[];
}

/** `depends`: some ways are allowed, others refused, and which is taken is random. */
export type Outlook = "allowed" | "refused" | "depends";

/** What happens to connections from a client to a target. */
export interface Explanation {
  /** Null: the client's address is of no workload. */
  readonly from: WorkloadSummary | null;
  /** The client's address, where it has one. */
  readonly fromAddress: string;
  readonly to: Target;
  readonly outlook: Outlook;
  /** In one sentence. */
  readonly summary: string;
  /** Only the first has all reasons of its outbound decision; the others differ in their random choices alone. */
  readonly ways: readonly Way[];
  /** Further ways that were not followed. */
  readonly more: number;
  /** Workloads that would be endpoints of the service if they were ready. */
  readonly unready: readonly string[];
}

/** The target, as asked and as resolved. */
interface Target {
  readonly asked: string;
  /** What the client would connect to, `ip:port`. */
  readonly address: string;
  /** How the name was resolved; empty for an address. */
  readonly because: readonly Reason[];
}

/** A workload, as an explanation describes it. */
export interface WorkloadSummary {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** SPIFFE id, null where it has none. */
  readonly identity: string | null;
  readonly node: string;
  /** HBONE: it has a proxy, or takes HBONE itself. */
  readonly protocol: "TCP" | "HBONE";
}

/** One of the ways the connection may take. */
export interface Way {
  /** Probability, 0 to 1. */
  readonly chance: number;
  readonly outlook: Outlook;
  /** The connection that leaves the client's side. */
  readonly hop: Hop;
  /** What a waypoint may do next. Null: the hop leads to the destination itself, or to where this mesh has no data. */
  readonly onward: Onward | null;
}

/** The destinations that a waypoint may connect to. */
export interface Onward {
  readonly text: string;
  readonly hops: readonly Hop[];
  /** Further destinations that were not followed. */
  readonly more: number;
}

/** One connection on the way. */
export interface Hop {
  /** What makes the connection. */
  readonly by: "proxy" | "client" | "waypoint";
  readonly because: readonly Reason[];
  readonly outcome: HopRoute | HopRefusal;
  /** At the other end, where that is a workload; null after a refusal too. */
  readonly admission: Admission | null;
}

/** The connection is not made. */
export interface HopRefusal {
  readonly kind: "refusal";
  readonly code: RefusalCode | "NO_IDENTITY" | "NOBODY_EXPECTED";
  /** The message of the access log. */
  readonly message: string;
}

/** The connection is made. */
export interface HopRoute {
  readonly kind: "route";
  readonly protocol: "TCP" | "HBONE" | "DOUBLEHBONE";
  /** What is dialled: `ip:port`, or `hostname:port` where the proxy resolves the name. */
  readonly dial: string;
  /** The target of the CONNECT; null for TCP. */
  readonly authority: string | null;
  readonly destination: WorkloadSummary | null;
  /** `namespace/hostname` */
  readonly service: string | null;
  /** The identity that the client's side presents; null for TCP. */
  readonly shows: string | null;
  /** The identities it accepts at the other end. */
  readonly expects: readonly string[];
  /** The identities it accepts behind a gateway. */
  readonly expectsBehind: readonly string[];
  /** What is dialled. There is no data about what is behind a `gateway` or `outside`. */
  readonly leadsTo: OutboundRoute["leadsTo"];
}

/** What happens at the workload that is connected to. */
export interface Admission {
  readonly at: WorkloadSummary;
  /** Null: a proxy of this mesh decides there. Otherwise why none does. */
  readonly notEnforced: string | null;
  readonly because: readonly Reason[];
  readonly allow: boolean;
  /** The refusal in the words of the access log; null where it is allowed. */
  readonly message: string | null;
  readonly decision: Decision | null;
  /** The id of the decision, as the log has it. */
  readonly decisionId: string | null;
  /** The policy that decided. */
  readonly policy: string | null;
  /** The application's address. */
  readonly application: string | null;
  /** Every policy of the workload, in the order of evaluation. */
  readonly policies: readonly PolicyFinding[];
}

/** The outcome of one policy for one connection. */
export interface PolicyFinding {
  readonly key: string;
  /** Null: the policy has not arrived. */
  readonly action: "Allow" | "Deny" | null;
  readonly scope: "Global" | "Namespace" | "WorkloadSelector" | null;
  readonly dryRun: boolean;
  readonly result: "matches" | "does-not-match" | "not-asked" | "unknown";
  readonly decides: boolean;
  readonly details: readonly string[];
}

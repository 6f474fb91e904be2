/** What the admin port answers, as far as the page uses it. `wire_test.ts` compares it with the types of the proxy. */

/** One side of a flow. */
export interface Party {
  readonly address: string;
  readonly workload: string | null;
  readonly namespace: string | null;
  readonly identity: string | null;
}

/** When a connection had passed its phases, in ms since it was accepted. */
export interface PhaseTimes {
  readonly resolved: number | null;
  readonly authorized: number | null;
  readonly connected: number | null;
  readonly handshaken: number | null;
  readonly answered: number | null;
}

/** A connection, of `/observe` and `/connections`. */
export interface Flow {
  readonly id: string;
  readonly direction: "inbound" | "outbound";
  readonly state: string;
  readonly verdict: "ok" | "denied" | "failed";
  readonly source: Party;
  readonly destination: Party;
  readonly target: string;
  readonly service: string | null;
  readonly protocol: "TCP" | "HBONE";
  readonly tls: { readonly version: string; readonly group: string } | null;
  readonly carrier: number | null;
  readonly attempt: number;
  readonly dryRuns: readonly { readonly policy: string | null; readonly text: string }[];
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly age: number;
  readonly idle: number | null;
  readonly times: PhaseTimes;
  readonly ending: { readonly by: string; readonly how: string; readonly phase: string } | null;
  readonly flag: string | null;
  readonly error: string | null;
}

/** An event of `/observe`. */
export interface FlowEvent extends Flow {
  readonly event: "opened" | "refused" | "ended";
  /** ISO 8601, UTC. */
  readonly time: string;
}

/** The first event of `/samples`. */
export interface Hour {
  readonly every: number;
  readonly names: readonly string[];
  readonly samples: readonly (readonly number[])[];
}

/** `/service-map` */
export interface ServiceMap {
  readonly edges: readonly MapEdge[];
  readonly leftOut: { readonly edges: number; readonly opened: number };
  readonly span: number | null;
}

/** One direction between two workloads. */
export interface MapEdge {
  readonly source: string | null;
  readonly destination: string | null;
  readonly services: readonly string[];
  readonly mutualTls: boolean;
  readonly open: number;
  readonly opened: number;
  readonly denied: number;
  readonly failed: number;
  readonly bytesToDestination: number;
  readonly bytesToSource: number;
  readonly rate: {
    readonly opened: number;
    readonly denied: number;
    readonly failed: number;
    readonly bytes: number;
  } | null;
}

/** `/node`. Times are ms since the epoch. */
export interface NodeInfo {
  readonly time: number;
  readonly name: string;
  readonly mode: string;
  readonly version: string;
  readonly revision: string;
  readonly runtime: string;
  readonly startedAt: number;
  readonly workers: number;
  readonly ready: { readonly pending: readonly string[]; readonly trouble: string | null };
  readonly mesh: { readonly workloads: number; readonly services: number; readonly policies: number } | null;
  readonly controlPlane: ControlPlane | null;
  readonly authority: {
    readonly kind: "local" | "spire" | "istio";
    readonly address: string | null;
    readonly awaySince: number | null;
    readonly noneSince: number | null;
  };
  readonly certificates: {
    readonly initializing: number;
    readonly available: number;
    readonly unavailable: number;
    readonly failing: number;
    readonly firstExpiry: number | null;
  };
  readonly pods: { readonly up: number; readonly pending: number; readonly differences: number };
}

/** The connection to the control plane. */
export interface ControlPlane {
  readonly address: string;
  readonly state: "connecting" | "connected" | "waiting";
  readonly since: number;
  readonly attempts: number;
  readonly lastResponse: number | null;
  readonly lastFailure: { readonly time: number; readonly text: string } | null;
  readonly types: readonly {
    readonly type: string;
    readonly responses: number;
    readonly bytes: number;
    readonly rejected: number;
  }[];
  readonly rejected: readonly {
    readonly time: number;
    readonly type: string;
    readonly name: string;
    readonly reason: string;
  }[];
}

/** A pod of `/pods`. */
export interface Pod {
  readonly uid: string | null;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly state: "Up" | "Pending";
  readonly differences: readonly string[];
}

/** `/pods` */
export interface Pods {
  readonly pods: readonly Pod[];
  readonly more: number;
  readonly listeners: readonly { readonly name: string; readonly port: number }[];
  readonly differences: readonly string[];
}

/** A certificate of `/certificates`. */
export interface Certificate {
  readonly identity: string;
  readonly workloadUid: string | null;
  readonly state: "initializing" | "available" | "unavailable";
  readonly notBefore: number | null;
  readonly notAfter: number | null;
  readonly serial: string | null;
  readonly failure: { readonly code: string; readonly text: string; readonly cure: string } | null;
}

/** `/certificates` */
export interface Certificates {
  readonly certificates: readonly Certificate[];
  readonly more: number;
}

/** `/policies` */
export interface Policies {
  readonly policies: readonly Policy[];
  readonly isCut: boolean;
}

/** A policy of `/policies`. */
export interface Policy {
  readonly policy: string | null;
  readonly action: "Allow" | "Deny" | null;
  readonly scope: "Global" | "Namespace" | "WorkloadSelector" | null;
  readonly dryRun: boolean;
  readonly rules: number;
  readonly hits: readonly { readonly decision: string; readonly count: number }[];
}

/** `/dry-run` */
export interface DryRuns {
  readonly counts: readonly {
    readonly policy: string | null;
    readonly result: string;
    readonly caller: string | null;
    readonly count: number;
  }[];
  readonly last: readonly FlowEvent[];
}

/** `/connections` */
export interface Connections {
  readonly connections: readonly (Flow & { readonly pod: string })[];
  readonly next: string | null;
}

/** A step of a decision. */
export interface Reason {
  readonly rule: string;
  readonly text: string;
  readonly holds?: boolean;
  readonly decides?: true;
  readonly details?: readonly string[];
}

/** A workload in an explanation. */
export interface WorkloadSummary {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly identity: string | null;
  readonly node: string;
  readonly protocol: "TCP" | "HBONE";
}

/** What a policy says about a call. */
export interface PolicyFinding {
  readonly key: string;
  readonly action: "Allow" | "Deny" | null;
  readonly scope: string | null;
  readonly dryRun: boolean;
  readonly result: string;
  readonly decides: boolean;
  readonly details: readonly string[];
}

/** What happens at the workload that is connected to. */
export interface Admission {
  readonly at: WorkloadSummary;
  readonly notEnforced: string | null;
  readonly because: readonly Reason[];
  readonly allow: boolean;
  readonly message: string | null;
  readonly decision: string | null;
  readonly policy: string | null;
  readonly application: string | null;
  readonly policies: readonly PolicyFinding[];
}

/** One connection on the way. */
export interface Hop {
  readonly by: "proxy" | "client" | "waypoint";
  readonly because: readonly Reason[];
  readonly outcome:
    | { readonly kind: "refusal"; readonly code: string; readonly message: string }
    | {
      readonly kind: "route";
      readonly protocol: string;
      readonly dial: string;
      readonly authority: string | null;
      readonly destination: WorkloadSummary | null;
      readonly service: string | null;
      readonly shows: string | null;
      readonly expects: readonly string[];
      readonly leadsTo: string;
    };
  readonly admission: Admission | null;
}

/** What happens to a connection. */
export type Outlook = "allowed" | "refused" | "depends";

/** One of the ways that a connection may take. */
export interface Way {
  readonly chance: number;
  readonly outlook: Outlook;
  readonly hop: Hop;
  readonly onward: { readonly text: string; readonly hops: readonly Hop[]; readonly more: number } | null;
}

/** The answer of `/explain`. */
export interface Explanation {
  readonly from: WorkloadSummary | null;
  readonly fromAddress: string;
  readonly to: { readonly asked: string; readonly address: string; readonly because: readonly Reason[] };
  readonly outlook: Outlook;
  readonly summary: string;
  readonly ways: readonly Way[];
  readonly more: number;
  readonly unready: readonly string[];
}

/** Why `/explain` has no answer. */
export interface ExplainError {
  readonly code: string;
  readonly message: string;
  readonly candidates: readonly string[];
}

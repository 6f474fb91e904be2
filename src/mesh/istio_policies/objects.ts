/** What Istio's security objects say to a proxy without HTTP, as plain values. */
import type { Policy } from "../model/model.ts";

/** Labels by key. */
export type Labels = Readonly<Record<string, string>>;

/** An AuthorizationPolicy. */
export interface AuthorizationPolicy {
  readonly kind: "AuthorizationPolicy";
  readonly namespace: string;
  readonly name: string;
  /** The labels of the workloads that it is for. Null: no selector, so all of its namespace or of the mesh. */
  readonly selector: Labels | null;
  /** What istiod sends to proxies. Null: nothing, as it is not for ztunnel. */
  readonly policy: Policy | null;
  /** What ztunnel enforces otherwise than it is written. */
  readonly notes: readonly string[];
}

/** A mode of mutual TLS. */
export type TlsMode = "UNSET" | "DISABLE" | "PERMISSIVE" | "STRICT";

/** A PeerAuthentication. */
export interface PeerAuthentication {
  readonly kind: "PeerAuthentication";
  readonly namespace: string;
  readonly name: string;
  /** As in {@link AuthorizationPolicy}. */
  readonly selector: Labels | null;
  /** When it was created, ISO 8601; null: not known. Of several at one level the oldest one counts. */
  readonly created: string | null;
  readonly mode: TlsMode;
  /** Modes of single ports, in the order of ports. */
  readonly ports: readonly { readonly port: number; readonly mode: TlsMode }[];
}

/** The labels of a pod, which tell whether a selector selects it. */
interface PodLabels {
  readonly kind: "Pod";
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
}

/** An object that a simulation uses. */
export type IstioObject = AuthorizationPolicy | PeerAuthentication | PodLabels;

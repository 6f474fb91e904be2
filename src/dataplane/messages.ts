/**
 * Everything that main isolate and data-plane workers say to each other. Both sides switch over `kind` exhaustively.
 *
 * Plain data only: messages are structured clones. After `postMessage` to a worker main writes its eventfd
 * (`worker_handle.ts`), since the worker sits in a blocking wait.
 */
import type { Config } from "../config/config.ts";
import type { CertificateSubject, IssuedCertificate } from "../identity/authority.ts";
import type { RevocationList } from "../identity/crl.ts";
import type { MeshChange } from "../mesh/model/changes.ts";
import type { Freshness } from "../mesh/state/state.ts";
import type { DrainMode } from "../net/drain_mode.ts";
import type { LogOutput } from "../telemetry/log_output.ts";
import type { MetricsSlice } from "../telemetry/metrics_reading.ts";
import type { LookupResult } from "../xds/lookups.ts";
import type { ResourcePart } from "../xds/resource_part.ts";
import type { DumpAnswer, DumpRequest } from "./dump_messages.ts";
import type { ExplainReply, ExplainRequest } from "./explain_messages.ts";
import type { PodAnswer, PodOrder } from "./pod_messages.ts";
import type { ProfileAnswer, ProfileOrder } from "./profile_messages.ts";

export type ToWorker =
  /** The first message, sent once. `filter`: of the log, as text. `output`: where log lines are written. */
  | { readonly kind: "start"; readonly config: Config; readonly filter: string; readonly output: LogOutput }
  /** The static mesh. */
  | { readonly kind: "mesh"; readonly changes: readonly MeshChange[] }
  /** About a name that was wanted; what is behind it was sent before. */
  | { readonly kind: "mesh-answered"; readonly name: string; readonly answer: LookupResult }
  /** The control plane is disconnected, or its first answer is applied. */
  | { readonly kind: "mesh-freshness"; readonly freshness: Freshness }
  /** From the control plane, checked. */
  | { readonly kind: "resources"; readonly part: ResourcePart }
  /** Here and below: `workloadUid` is null where pods of one identity share a certificate. */
  | { readonly kind: "certificate"; readonly issued: IssuedCertificate; readonly workloadUid: string | null }
  /** `isTemporary`: the failure may be temporary; callers wait until their own limit. */
  | {
    readonly kind: "certificate-failed";
    readonly subject: CertificateSubject;
    readonly message: string;
    readonly isTemporary: boolean;
  }
  /** Not for new connections any more. */
  /** `cut`: connections that use this certificate are closed too. */
  | { readonly kind: "certificate-withdrawn"; readonly subject: CertificateSubject; readonly cut: boolean }
  /** What the file at `CRL_PATH` says; the first before there are listeners. */
  | { readonly kind: "revocation-lists"; readonly lists: readonly RevocationList[] }
  /** Bind the listeners of the one workload of dedicated mode. `announce`: one worker says so in the log. */
  | { readonly kind: "listen"; readonly announce: boolean }
  /** Shared mode. */
  | { readonly kind: "pod"; readonly order: PodOrder }
  | { readonly kind: "log-filter"; readonly filter: string }
  /** Requests the next slice of the metrics. A new request id begins a reading; its last slice ends it. */
  | { readonly kind: "snapshot"; readonly request: number }
  | { readonly kind: "dump"; readonly request: DumpRequest }
  | { readonly kind: "explain"; readonly request: ExplainRequest }
  | { readonly kind: "profile"; readonly order: ProfileOrder }
  | { readonly kind: "drain"; readonly mode: DrainMode };

export type ToMain =
  /** `wake`: the eventfd to write after each message. `library`: the TLS library in use. */
  | { readonly kind: "ready"; readonly wake: number; readonly library: string }
  | { readonly kind: "listening" }
  | { readonly kind: "pod"; readonly answer: PodAnswer }
  /** On demand: what is behind a name that the mesh does not know. */
  | { readonly kind: "mesh-wanted"; readonly name: string }
  /** The part with this number and all before it are applied. */
  | { readonly kind: "resources-applied"; readonly sequence: number }
  | { readonly kind: "certificate-wanted"; readonly subject: CertificateSubject }
  | { readonly kind: "snapshot"; readonly request: number; readonly slice: MetricsSlice }
  | { readonly kind: "dump"; readonly answer: DumpAnswer }
  | { readonly kind: "explained"; readonly reply: ExplainReply }
  | { readonly kind: "profile"; readonly answer: ProfileAnswer }
  | { readonly kind: "drained" }
  /** It cannot start; the text is for the operator. */
  | { readonly kind: "failed"; readonly message: string };

/**
 * All messages between the main isolate and data-plane workers. Both sides switch over `kind` exhaustively.
 *
 * Plain data only: messages are structured clones. After `postMessage` to a worker main writes to the worker's eventfd
 * (`worker_handle.ts`), since the worker blocks in `epoll_wait`.
 */
import type { AccessLines } from "../config/access_lines.ts";
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
import type { FiguresAnswer } from "./figure_messages.ts";
import type { ExplainReply, ExplainRequest } from "./explain_messages.ts";
import type { FlowAnswer, FlowRequest } from "./flow_messages.ts";
import type { PodAnswer, PodOrder } from "./pod_messages.ts";
import type { ProfileAnswer, ProfileOrder } from "./profile_messages.ts";
import type { SimulateAnswer, SimulateRequest } from "./simulate_messages.ts";

/** From main to a worker. */
export type ToWorker =
  /** The first message, sent once. `filter`: of the log, as text. `output`: where log lines are written. */
  | {
    readonly kind: "start";
    readonly config: Config;
    readonly filter: string;
    readonly output: LogOutput;
    /** Of the hashes of names and addresses: that of the shared records. */
    readonly hashSeed: number;
    /** The worker's name in metrics. */
    readonly thread: string;
  }
  /** The static mesh. */
  | { readonly kind: "mesh"; readonly changes: readonly MeshChange[] }
  /** The result of `lookup`; the resources of that name were sent before. */
  | { readonly kind: "lookup-result"; readonly name: string; readonly result: LookupResult }
  /** The control plane is disconnected, or its first response is applied. */
  | { readonly kind: "mesh-freshness"; readonly freshness: Freshness }
  /** Resources of the control plane, validated. */
  | { readonly kind: "resources"; readonly part: ResourcePart }
  /** `workloadUid`, here and below: null where pods of one identity share a certificate. */
  | { readonly kind: "certificate"; readonly issued: IssuedCertificate; readonly workloadUid: string | null }
  /** `isTemporary`: the failure may be temporary; callers wait until their own limit. */
  | {
    readonly kind: "certificate-failed";
    readonly subject: CertificateSubject;
    readonly message: string;
    readonly isTemporary: boolean;
  }
  /** New connections must not use it. `cut`: open connections that use it are closed too. */
  | { readonly kind: "certificate-withdrawn"; readonly subject: CertificateSubject; readonly cut: boolean }
  /** The lists of the files at `CRL_PATH`. The first ones are sent before there are listeners. */
  | { readonly kind: "revocation-lists"; readonly lists: readonly RevocationList[] }
  /** Binds the listeners of the one workload of dedicated mode. `announce`: logs them, which one worker does. */
  | { readonly kind: "listen"; readonly announce: boolean }
  /** Shared mode. */
  | { readonly kind: "pod"; readonly order: PodOrder }
  | { readonly kind: "log-filter"; readonly filter: string }
  | { readonly kind: "access-lines"; readonly lines: AccessLines }
  /** Requests the next slice of the metrics. A new request id begins a reading; its last slice ends it. */
  | { readonly kind: "snapshot"; readonly request: number }
  /** Requests the worker's figures. One request of one reader at a time. */
  | { readonly kind: "figures"; readonly request: number }
  | { readonly kind: "dump"; readonly request: DumpRequest }
  | { readonly kind: "explain"; readonly request: ExplainRequest }
  | { readonly kind: "flows"; readonly request: FlowRequest }
  | { readonly kind: "simulate"; readonly request: SimulateRequest }
  | { readonly kind: "profile"; readonly order: ProfileOrder }
  /** An immediate drain may follow a graceful one. The worker reports one end. */
  | { readonly kind: "drain"; readonly mode: DrainMode };

/** From a worker to main. */
export type ToMain =
  /** `wake`: the eventfd to write after each message. `library`: the TLS library in use. */
  | { readonly kind: "ready"; readonly wake: number; readonly library: string }
  | { readonly kind: "listening" }
  | { readonly kind: "pod"; readonly answer: PodAnswer }
  /** A lookup on demand: requests the resources with this name. */
  | { readonly kind: "lookup"; readonly name: string }
  /** The part with this number is applied. */
  | { readonly kind: "resources-applied"; readonly sequence: number }
  | { readonly kind: "certificate-request"; readonly subject: CertificateSubject }
  | { readonly kind: "snapshot"; readonly request: number; readonly slice: MetricsSlice }
  | { readonly kind: "figures"; readonly answer: FiguresAnswer }
  | { readonly kind: "dump"; readonly answer: DumpAnswer }
  | { readonly kind: "explained"; readonly reply: ExplainReply }
  | { readonly kind: "flows"; readonly answer: FlowAnswer }
  | { readonly kind: "simulated"; readonly answer: SimulateAnswer }
  | { readonly kind: "profile"; readonly answer: ProfileAnswer }
  | { readonly kind: "drained" }
  /** The worker cannot start; the text is for the operator. */
  | { readonly kind: "failed"; readonly message: string };

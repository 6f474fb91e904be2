/** The certificate manager with its authority, and the way its certificates take to the workers. */
import { SYSTEM_CLOCK } from "../../net/clock.ts";
import type { Config } from "../../config/config.ts";
import { openIstio } from "../../authorities/istio/open_istio.ts";
import type { FindPod } from "../../authorities/spire/local_pods.ts";
import type { SpireSurroundings } from "../../authorities/spire/open_spire.ts";
import type { ToWorker } from "../../dataplane/messages.ts";
import {
  type CertificateAuthority,
  CertificateError,
  type CertificateSubject,
  type IssuedCertificate,
  isTemporary,
} from "../../identity/authority.ts";
import { CertificateHealth, type CertificateTrouble } from "../../identity/certificate_health.ts";
import { collectCertificateMetrics } from "../../identity/certificate_metrics.ts";
import { CertificateManager, type CertificateStatus } from "../../identity/certificate_manager.ts";
import type { CertificateState } from "../../identity/certificate_state.ts";
import { Priority } from "../../identity/fetch_queue.ts";
import { LocalAuthority } from "../../identity/local_authority.ts";
import { createLocalCa, loadOrCreateLocalCa } from "../../identity/local_ca.ts";
import { logManagerEvents, type ManagerEvents, type WriteLine } from "../../identity/manager_events.ts";
import { type SpiffeId, workloadId } from "../../identity/spiffe_id.ts";
import { subjectKey } from "../../identity/subject_key.ts";
import type { CertificateKeeper } from "../../identity/workload_certificates.ts";
import type { Log } from "../../telemetry/log.ts";
import { bare } from "../../telemetry/log_fields.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import { askUntilAnswered } from "./ask_until_answered.ts";
import { type LimitedLines, limitLines } from "./limit_lines.ts";
import { PacedSender } from "../workers/paced_sender.ts";
import { LocalPods } from "./local_pods.ts";

export class Certificates {
  /** Of shared mode, to be told by the wiring. */
  readonly pods = new LocalPods({ onGone: (uid) => this.#podGone(uid) });
  readonly #manager: CertificateManager;
  readonly #authority: CertificateAuthority;
  readonly #metrics: Metrics;
  /** Where pods have certificates of their own: what was asked for on a pod's behalf. Emptied when it goes. */
  readonly #subjects = new Map<string, CertificateSubject>();
  readonly #sender = new PacedSender<ToWorker>(SYSTEM_CLOCK, (message) => this.send(message));
  readonly #lines: LimitedLines;
  readonly #revokeOpen: boolean;
  readonly #health = new CertificateHealth();
  readonly #asking = new AbortController();
  #connected: Promise<void> | null;
  /** The way to the workers, set by the wiring. */
  send: (message: ToWorker) => void = () => {};
  /** Called with each new certificate; set during wiring. */
  onIssued: (issued: IssuedCertificate) => void = () => {};

  /** Rejects where a setting cannot be used. */
  static async open(config: Config, log: Log, metrics: Metrics): Promise<Certificates> {
    const pods: { find: FindPod } = { find: () => null };
    const lines = limitLines(writerOf(log, SCOPES[authorityKind(config)]), SYSTEM_CLOCK);
    const authority = await makeAuthority(config, lines.write, (uid) => pods.find(uid));
    const certificates = new Certificates(authority, lines, config.spire.revokeOpen, log, metrics);
    pods.find = (uid) => certificates.pods.find(uid);
    certificates.#askForOwn(config);
    return certificates;
  }

  private constructor(
    authority: CertificateAuthority,
    lines: LimitedLines,
    revokeOpen: boolean,
    log: Log,
    metrics: Metrics,
  ) {
    this.#revokeOpen = revokeOpen;
    this.#authority = authority;
    this.#lines = lines;
    this.#connected = authority.connected ?? null;
    this.#metrics = metrics;
    const write = writerOf(log, "ztunnel::identity::manager"), prefetch = writerOf(log, "ztunnel::cert_fetcher");
    this.#manager = new CertificateManager({
      authority,
      clock: SYSTEM_CLOCK,
      random: Math.random,
      events: this.#counting(logManagerEvents(write, prefetch)),
      onChange: (subject, state) => this.#changed(subject, state),
    });
  }

  /**
   * A worker needs the certificate of `subject`; every worker gets it. Workers that have it already take no notice.
   * A pod that has gone gets none, whoever asks for what is left of it.
   */
  want(subject: CertificateSubject): void {
    const { workloadUid } = subject;
    if (workloadUid !== null) {
      if (this.pods.find(workloadUid) === null) {
        return this.#sender.send({
          kind: "certificate-failed",
          subject,
          message: `workload is unknown: pod ${workloadUid}`,
          isTemporary: false,
        });
      }
      this.#subjects.set(workloadUid, subject);
    }
    this.#manager.get(subject, Priority.RealTime).then(
      (issued) => this.#sender.send({ kind: "certificate", issued, workloadUid }),
      (error) => this.#failed(subject, error),
    );
  }

  #failed(subject: CertificateSubject, error: unknown): void {
    this.#sender.send({
      kind: "certificate-failed",
      subject,
      message: messageOf(error),
      isTemporary: error instanceof CertificateError && isTemporary(error),
    });
  }

  /** Writes down what there is now, before it is shown. */
  collectMetrics(): void {
    const awaySince = this.#authority.awaySince ?? null;
    collectCertificateMetrics(this.#metrics, this.statuses(), { awaySince, noneSince: this.#health.noneSince });
  }

  /** Why the node has no certificate at all; null: it has one, or needs none. */
  trouble(): CertificateTrouble | null {
    return this.#health.trouble(SYSTEM_CLOCK.now());
  }

  /** For who knows which workloads run here. */
  get keeper(): CertificateKeeper {
    return this.#manager;
  }

  get keyedBy(): CertificateAuthority["keyedBy"] {
    return this.#authority.keyedBy;
  }

  /** Fulfilled once the authority has answered, where that says whether the node can serve; else null. */
  get connected(): Promise<void> | null {
    return this.#connected;
  }

  /** Every identity with its certificate, for the config dump. */
  statuses(): readonly CertificateStatus[] {
    return this.#manager.statuses();
  }

  close(): void {
    this.#asking.abort();
    this.#manager.close();
    this.#authority.close();
    this.#lines.close();
    this.#sender.close();
  }

  /**
   * An authority that only answers requests is asked for the certificate of the proxy's own workload, which also exists
   * on a node without pods: when that certificate arrives, the authority works.
   */
  #askForOwn(config: Config): void {
    const own = ownIdentity(config);
    if (this.#authority.onUpdate !== undefined || own === null) return;
    this.#connected = askUntilAnswered(
      {
        authority: this.#authority,
        subject: { id: own, workloadUid: null },
        clock: SYSTEM_CLOCK,
        random: Math.random,
        warn: (text) => this.#lines.write("warn", text, {}),
      },
      this.#asking.signal,
    );
  }

  #counting(events: ManagerEvents): ManagerEvents {
    const failures = this.#metrics.cell("istio_certificate_fetch_failures");
    return {
      ...events,
      renewalFailed(...about) {
        failures.value++;
        events.renewalFailed(...about);
      },
      fetchFailed(...about) {
        failures.value++;
        events.fetchFailed(...about);
      },
    };
  }

  #changed(subject: CertificateSubject, state: CertificateState | null): void {
    this.#health.changed(subjectKey(subject, this.keyedBy), state, SYSTEM_CLOCK.now());
    switch (state?.at) {
      case "available":
        this.onIssued(state.certificate);
        return this.#sender.send({ kind: "certificate", issued: state.certificate, workloadUid: subject.workloadUid });
      case "unavailable":
        this.#sender.send({
          kind: "certificate-withdrawn",
          subject,
          cut: this.#revokeOpen && isTakenBack(state.error),
        });
        // Callers that wait because of a temporary failure are notified when it turns out to be a permanent one.
        return this.#failed(subject, state.error);
      case undefined:
        return this.#sender.send({ kind: "certificate-withdrawn", subject, cut: false });
      case "initializing":
        return;
      default:
        state satisfies undefined;
    }
  }

  /** Its key and its stream at the authority go at once (`docs/spec/identity-spire.md` S23). */
  #podGone(uid: string): void {
    const subject = this.#subjects.get(uid);
    this.#subjects.delete(uid);
    if (subject !== undefined) this.#manager.remove(subject);
  }
}

/** Logs in one scope, in which SPIFFE ids are shown without quotes. */
function writerOf(log: Log, target: string): WriteLine {
  const scope = log.scope(target);
  return (level, message, { id, ...fields }) =>
    scope[level](message, id === undefined ? fields : { id: bare(id), ...fields });
}

type AuthorityKind = "local" | "istio" | "spire";

const SCOPES: Readonly<Record<AuthorityKind, string>> = {
  local: "ztunnel::identity::caclient",
  istio: "ztunnel::identity::caclient",
  spire: "ztunnel::identity::spireclient",
};

/** Which authority is used, by the order of `docs/spec/identity-spire.md` 3.2. "spire": its agent, or a broker. */
function authorityKind({ ca, spire }: Config): AuthorityKind {
  if (ca.fake) return "local";
  return spire.enabled || spire.broker !== null ? "spire" : "istio";
}

/** The SPIRE client is loaded only where it is used: it takes 1 MB. */
async function makeAuthority(config: Config, log: WriteLine, findPod: FindPod): Promise<CertificateAuthority> {
  const { spire, node } = config;
  const kind = authorityKind(config);
  if (kind === "local") return localAuthority(config);
  if (kind === "istio") return openIstio(config, SYSTEM_CLOCK, log);
  const { systemProcesses } = await import("../../authorities/spire/process_table.ts");
  const around: SpireSurroundings = {
    clock: SYSTEM_CLOCK,
    random: Math.random,
    log,
    findPod,
    processes: systemProcesses(),
    own: selfIdentity(config),
  };
  if (spire.broker === null) {
    const { openSpire } = await import("../../authorities/spire/open_spire.ts");
    return openSpire(spire, node.clusterDomain, around);
  }
  const { openBroker } = await import("../../authorities/broker/open_broker.ts");
  return openBroker(spire, spire.broker, node.clusterDomain, around);
}

/** Null: the id is not known, or the authority cannot fail to answer. */
function ownIdentity(config: Config): SpiffeId | null {
  return config.mode === "dedicated" || config.ca.fake ? null : selfIdentity(config);
}

/** Null: the id is not known. */
function selfIdentity({ node: { self, trustDomain } }: Config): SpiffeId | null {
  return self === null ? null : workloadId(trustDomain, self.namespace, self.serviceAccount);
}

function localAuthority(config: Config): CertificateAuthority {
  const { localFiles, secretTtl } = config.ca;
  const ca = localFiles === null
    ? createLocalCa(Date.now())
    : loadOrCreateLocalCa(localFiles.certificate, localFiles.key, Date.now());
  return new LocalAuthority({ ca, now: Date.now, lifetime: secretTtl });
}

/** The authority says that the subject must not have the certificate, as opposed to a renewal that came too late. */
function isTakenBack({ code }: CertificateError): boolean {
  return code === "NO_ENTRY" || code === "SAN_MISMATCH" || code === "DENIED" || code === "NO_BUNDLE";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

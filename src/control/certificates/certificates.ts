/** The certificate manager with its authority, and the way its certificates take to the workers. */
import type { Config } from "../../config/config.ts";
import type { ToWorker } from "../../dataplane/messages.ts";
import {
  type CertificateAuthority,
  CertificateError,
  type CertificateSubject,
  type IssuedCertificate,
  isTemporary,
} from "../../identity/authority.ts";
import type { CertificateHealth } from "../../identity/certificate_health.ts";
import { CertificateManager, type CertificateStatus } from "../../identity/certificate_manager.ts";
import { collectCertificateMetrics } from "../../identity/certificate_metrics.ts";
import type { CertificateState } from "../../identity/certificate_state.ts";
import { Priority } from "../../identity/fetch_queue.ts";
import { logManagerEvents, type ManagerEvents, type WriteLine } from "../../identity/manager_events.ts";
import { subjectKey } from "../../identity/subject_key.ts";
import type { CertificateKeeper } from "../../identity/workload_certificates.ts";
import { SYSTEM_CLOCK } from "../../net/clock.ts";
import type { Log } from "../../telemetry/log.ts";
import { bare } from "../../telemetry/log_fields.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import { PacedSender } from "../workers/paced_sender.ts";
import { askUntilAnswered } from "./ask_until_answered.ts";
import { type LimitedLines, limitLines } from "./limit_lines.ts";
import type { LocalPods } from "./local_pods.ts";
import { authorityScope, makeAuthority, ownIdentity } from "./make_authority.ts";

/** What {@link Certificates} needs. */
interface CertificatesParts {
  readonly config: Config;
  /** The pods of this node. {@link Certificates.podGone} is called for each that has left. */
  readonly pods: LocalPods;
  /** Records whether the node has any certificate. */
  readonly health: CertificateHealth;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Sends a message to every worker. */
  readonly send: (message: ToWorker) => void;
  /** Called with each certificate that was issued. */
  readonly onIssued: (issued: IssuedCertificate) => void;
}

/** The certificates of this node: requested for workers, renewed, and sent to all workers. */
export class Certificates {
  readonly #parts: CertificatesParts;
  readonly #manager: CertificateManager;
  readonly #authority: CertificateAuthority;
  /** Where pods have certificates of their own: what was requested on a pod's behalf. Removed with the pod. */
  readonly #subjects = new Map<string, CertificateSubject>();
  readonly #sender: PacedSender<ToWorker>;
  readonly #lines: LimitedLines;
  readonly #abort = new AbortController();
  readonly #connected: Promise<void> | null;

  /** Rejects where a setting cannot be used. */
  static async open(parts: CertificatesParts): Promise<Certificates> {
    const { config, log, pods } = parts;
    const lines = limitLines(writerOf(log, authorityScope(config)), SYSTEM_CLOCK);
    return new Certificates(parts, await makeAuthority(config, lines.write, (uid) => pods.find(uid)), lines);
  }

  private constructor(parts: CertificatesParts, authority: CertificateAuthority, lines: LimitedLines) {
    const { config, log, send } = parts;
    this.#parts = parts;
    this.#authority = authority;
    this.#lines = lines;
    this.#sender = new PacedSender<ToWorker>(SYSTEM_CLOCK, send);
    const write = writerOf(log, "ztunnel::identity::manager"), prefetch = writerOf(log, "ztunnel::cert_fetcher");
    this.#manager = new CertificateManager({
      authority,
      clock: SYSTEM_CLOCK,
      random: Math.random,
      events: this.#countFailures(logManagerEvents(write, prefetch)),
      onChange: (subject, state) => this.#changed(subject, state),
    });
    this.#connected = this.#requestOwn(config) ?? authority.connected ?? null;
  }

  /**
   * Sends the certificate of `subject`, which one worker needs, to every worker. Workers that have it already ignore it.
   * Nothing is issued for a pod that has been removed.
   */
  request(subject: CertificateSubject): void {
    const { workloadUid } = subject;
    if (workloadUid !== null) {
      if (this.#parts.pods.find(workloadUid) === null) {
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

  /** Updates the metrics of certificates; called before a scrape. */
  collectMetrics(): void {
    const { awaySince } = this;
    const { metrics, health: { noneSince } } = this.#parts;
    collectCertificateMetrics(metrics, this.statuses(), { awaySince, noneSince });
  }

  /** Since when the authority has been unreachable, in ms since the epoch; null: it is not, or that is not known. */
  get awaySince(): number | null {
    return this.#authority.awaySince ?? null;
  }

  /** Fetches and removes certificates as workloads of this node come and go. */
  get keeper(): CertificateKeeper {
    return this.#manager;
  }

  /** Whether certificates belong to an identity or to a pod. */
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

  /**
   * A pod has left the node: its key and its stream at the authority are released at once
   * (`docs/spec/identity-spire.md` S23).
   */
  podGone(uid: string): void {
    const subject = this.#subjects.get(uid);
    this.#subjects.delete(uid);
    if (subject !== undefined) this.#manager.remove(subject);
  }

  /** Ends all requests; no certificate is sent any more. */
  close(): void {
    this.#abort.abort();
    this.#manager.close();
    this.#authority.close();
    this.#lines.close();
    this.#sender.close();
  }

  /**
   * An authority that only answers requests is asked for the certificate of the proxy's own workload, which also exists
   * on a node without pods: when that certificate arrives, the authority works. Null: no request is needed.
   */
  #requestOwn(config: Config): Promise<void> | null {
    const own = ownIdentity(config);
    if (this.#authority.onUpdate !== undefined || own === null) return null;
    const request = {
      authority: this.#authority,
      subject: { id: own, workloadUid: null },
      clock: SYSTEM_CLOCK,
      random: Math.random,
      warn: (text: string) => this.#lines.write("warn", text, {}),
    };
    return askUntilAnswered(request, this.#abort.signal);
  }

  #countFailures(events: ManagerEvents): ManagerEvents {
    const failures = this.#parts.metrics.cell("istio_certificate_fetch_failures");
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
    this.#parts.health.changed(subjectKey(subject, this.keyedBy), state, SYSTEM_CLOCK.now());
    switch (state?.at) {
      case "available":
        this.#parts.onIssued(state.certificate);
        return this.#sender.send({ kind: "certificate", issued: state.certificate, workloadUid: subject.workloadUid });
      case "unavailable":
        this.#sender.send({
          kind: "certificate-withdrawn",
          subject,
          cut: this.#parts.config.spire.revokeOpen && isRefused(state.error),
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
}

/** Writes to one scope of the log, with SPIFFE ids without quotes. */
function writerOf(log: Log, target: string): WriteLine {
  const scope = log.scope(target);
  return (level, message, { id, ...fields }) =>
    scope[level](message, id === undefined ? fields : { id: bare(id), ...fields });
}

/** The authority refuses the certificate to its subject, as opposed to a renewal that came too late. */
function isRefused({ code }: CertificateError): boolean {
  return code === "NO_ENTRY" || code === "SAN_MISMATCH" || code === "DENIED" || code === "NO_BUNDLE";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

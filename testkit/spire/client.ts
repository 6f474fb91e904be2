/** A certificate manager with SPIRE as its authority, as in the proxy; records log lines and changes. */
import { openBroker } from "../../src/authorities/broker/open_broker.ts";
import type { LocalPod } from "../../src/authorities/spire/local_pods.ts";
import { openSpire } from "../../src/authorities/spire/open_spire.ts";
import type { ProcessTable } from "../../src/authorities/spire/process_guard.ts";
import type { SpireAuthority } from "../../src/authorities/spire/spire_authority.ts";
import { Environment, type Variables } from "../../src/config/environment.ts";
import { spireSettings } from "../../src/config/spire_settings.ts";
import type { CertificateError, CertificateSubject, IssuedCertificate } from "../../src/identity/authority.ts";
import { workloadId } from "../../src/identity/spiffe_id.ts";
import { CertificateManager } from "../../src/identity/certificate_manager.ts";
import { Priority } from "../../src/identity/fetch_queue.ts";
import { logManagerEvents } from "../../src/identity/manager_events.ts";
import { SYSTEM_CLOCK, type WallClock } from "../../src/net/clock.ts";

/** Settings of a client. */
interface SpireClientOptions {
  readonly variables: Variables;
  /** `CLUSTER_DOMAIN` */
  readonly clusterDomain: string;
  readonly processes: ProcessTable;
  /** Default: the system clock. */
  readonly clock?: WallClock;
}

/** A change of any subject; null: it was removed. */
type Change = IssuedCertificate | CertificateError | null;

/** A client with a manager. */
export class SpireClient implements Disposable {
  readonly lines: string[] = [];
  readonly changes: Change[] = [];
  readonly pods = new Map<string, LocalPod>();
  readonly authority: SpireAuthority;
  readonly manager: CertificateManager;
  readonly #waiting: (() => void)[] = [];

  constructor({ variables, clusterDomain, processes, clock = SYSTEM_CLOCK }: SpireClientOptions) {
    const settings = spireSettings(new Environment(variables), true);
    const log = (level: string, message: string) => void this.lines.push(`${level} ${message}`);
    const dependencies = {
      clock,
      random: Math.random,
      log,
      findPod: (uid: string) => this.pods.get(uid) ?? null,
      processes,
      own: workloadId(clusterDomain, "istio-system", "ztunnel"),
    };
    this.authority = settings.broker === null
      ? openSpire(settings, clusterDomain, dependencies)
      : openBroker(settings, settings.broker, clusterDomain, dependencies);
    this.manager = new CertificateManager({
      authority: this.authority,
      clock,
      random: Math.random,
      events: logManagerEvents(log),
      onChange: (_, state) => {
        if (state === null) this.changes.push(null);
        else if (state.at === "available") this.changes.push(state.certificate);
        else if (state.at === "unavailable") this.changes.push(state.error);
        for (const notify of this.#waiting.splice(0)) notify();
      },
    });
  }

  /** Requests a certificate. */
  get(subject: CertificateSubject): Promise<IssuedCertificate> {
    return this.manager.get(subject, Priority.RealTime);
  }

  /** Resolves when there have been `count` changes. */
  async changed(count: number): Promise<void> {
    while (this.changes.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  [Symbol.dispose](): void {
    this.manager.close();
    this.authority.close();
  }
}

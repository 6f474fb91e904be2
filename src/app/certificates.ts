/** The certificate manager with its authority, and the way its certificates take to the workers. */
import type { Config } from "../config/config.ts";
import { openIstio } from "../authorities/istio/open_istio.ts";
import type { ToWorker } from "../dataplane/messages.ts";
import { SYSTEM_CLOCK } from "../grpc/channel.ts";
import type { CertificateAuthority } from "../identity/authority.ts";
import { CertificateManager, type CertificateStatus } from "../identity/certificate_manager.ts";
import { Priority } from "../identity/fetch_queue.ts";
import { LocalAuthority } from "../identity/local_authority.ts";
import { createLocalCa, loadOrCreateLocalCa } from "../identity/local_ca.ts";
import { logManagerEvents } from "../identity/manager_events.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import type { CertificateKeeper } from "../identity/workload_certificates.ts";
import type { Log } from "../telemetry/log.ts";

export class Certificates {
  readonly #manager: CertificateManager;
  readonly #authority: CertificateAuthority;
  /** The way to the workers, set by the wiring. */
  send: (message: ToWorker) => void = () => {};

  constructor(config: Config, log: Log) {
    this.#authority = makeAuthority(config, log);
    const scope = log.scope("ztunnel::identity::manager");
    this.#manager = new CertificateManager({
      authority: this.#authority,
      clock: SYSTEM_CLOCK,
      random: Math.random,
      events: logManagerEvents((level, message, fields) => scope[level](message, fields)),
      onChange: (_subject, state) => {
        if (state?.at === "available") this.send({ kind: "certificate", issued: state.certificate });
      },
    });
  }

  /** A worker needs the certificate of `id`; every worker gets it. Workers that have it already take no notice. */
  want(id: SpiffeId): void {
    this.#manager.get({ id, workloadUid: null }, Priority.RealTime).then(
      (issued) => this.send({ kind: "certificate", issued }),
      (error) => this.send({ kind: "certificate-failed", id, message: messageOf(error) }),
    );
  }

  /** For who knows which workloads run here. */
  get keeper(): CertificateKeeper {
    return this.#manager;
  }

  get keyedBy(): CertificateAuthority["keyedBy"] {
    return this.#authority.keyedBy;
  }

  /** Every identity with its certificate, for the config dump. */
  statuses(): readonly CertificateStatus[] {
    return this.#manager.statuses();
  }

  close(): void {
    this.#manager.close();
    this.#authority.close();
  }
}

/** In the order of `docs/spec/identity-spire.md` 3.2. */
function makeAuthority(config: Config, log: Log): CertificateAuthority {
  if (config.ca.fake) return localAuthority(config);
  if (config.spire.enabled || config.spire.broker !== null) {
    throw new Error("SPIRE_ENABLED and CA_PROVIDER=spiffe_broker are not there yet: use CA_ADDRESS or FAKE_CA=true");
  }
  const scope = log.scope("ztunnel::identity::caclient");
  return openIstio(config, SYSTEM_CLOCK, (level, message, fields) => scope[level](message, fields));
}

function localAuthority(config: Config): CertificateAuthority {
  const { localFiles, secretTtl } = config.ca;
  const ca = localFiles === null
    ? createLocalCa(Date.now())
    : loadOrCreateLocalCa(localFiles.certificate, localFiles.key, Date.now());
  return new LocalAuthority({ ca, now: Date.now, lifetime: secretTtl });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

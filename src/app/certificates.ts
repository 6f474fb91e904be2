/** The certificate manager with its authority, and the way its certificates take to the workers. */
import type { Config } from "../config/config.ts";
import type { WorkerHandle } from "../control/worker_handle.ts";
import type { CertificateAuthority, IssuedCertificate } from "../identity/authority.ts";
import { CertificateManager } from "../identity/certificate_manager.ts";
import { Priority } from "../identity/fetch_queue.ts";
import { LocalAuthority } from "../identity/local_authority.ts";
import { createLocalCa, loadOrCreateLocalCa } from "../identity/local_ca.ts";
import { logManagerEvents } from "../identity/manager_events.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import type { Log } from "../telemetry/log.ts";

export class Certificates {
  readonly #manager: CertificateManager;
  readonly #authority: CertificateAuthority;
  readonly #workers: readonly WorkerHandle[];

  constructor(config: Config, log: Log, workers: readonly WorkerHandle[]) {
    this.#workers = workers;
    this.#authority = makeAuthority(config);
    const scope = log.scope("ztunnel::identity::manager");
    this.#manager = new CertificateManager({
      authority: this.#authority,
      clock: { now: Date.now, after: (delay, run) => timer(delay, run) },
      random: Math.random,
      events: logManagerEvents((level, message, fields) => scope[level](message, fields)),
      onChange: (_subject, state) => {
        if (state?.at === "available") this.#send(state.certificate);
      },
    });
  }

  /** A worker needs the certificate of `id`; every worker gets it. */
  want(id: SpiffeId): void {
    this.#manager.get({ id, workloadUid: null }, Priority.RealTime).then(
      (issued) => this.#send(issued),
      (error) => this.#fail(id, error instanceof Error ? error.message : String(error)),
    );
  }

  close(): void {
    this.#manager.close();
    this.#authority.close();
  }

  #send(issued: IssuedCertificate): void {
    for (const worker of this.#workers) worker.send({ kind: "certificate", issued });
  }

  #fail(id: SpiffeId, message: string): void {
    for (const worker of this.#workers) worker.send({ kind: "certificate-failed", id, message });
  }
}

function makeAuthority(config: Config): CertificateAuthority {
  if (!config.ca.fake) {
    throw new Error("no certificate authority is configured; set FAKE_CA=true, the only one this version has");
  }
  const { localFiles, secretTtl } = config.ca;
  const ca = localFiles === null
    ? createLocalCa(Date.now())
    : loadOrCreateLocalCa(localFiles.certificate, localFiles.key, Date.now());
  return new LocalAuthority({ ca, now: Date.now, lifetime: secretTtl });
}

function timer(delay: number, run: () => void): { cancel(): void } {
  const handle = setTimeout(run, delay);
  return { cancel: () => clearTimeout(handle) };
}

/** Reads the revocation lists of `CRL_PATH` and sends them to the workers. */
import { CrlCoverage } from "../../authorities/crl_coverage.ts";
import { CrlSource } from "../../authorities/crl_source.ts";
import type { Config } from "../../config/config.ts";
import type { IssuedCertificate } from "../../identity/authority.ts";
import type { RevocationList } from "../../identity/crl.ts";
import type { WriteLine } from "../../identity/manager_events.ts";
import { SYSTEM_CLOCK } from "../../net/clock.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Readiness, ReadinessTask } from "../../telemetry/readiness.ts";

const TASK: ReadinessTask = "revocation lists";

interface Revocation {
  /** Resolves when no revoked peer can be admitted any more. No pod may be served before that. */
  readonly usable: Promise<void>;
  /**
   * Takes a certificate that was issued to a workload of this node: a list whose issuer is none of its trust anchors or
   * intermediates is named in a warning.
   */
  learn(issued: IssuedCertificate): void;
  /** Called once: sends the lists in force, now and after each change. */
  follow(send: (lists: readonly RevocationList[]) => void): void;
  close(): void;
}

/** Reads the lists of `CRL_PATH` and watches the file. Null: `CRL_PATH` is not set. */
export async function openRevocation({ tls }: Config, readiness: Readiness, log: Log): Promise<Revocation | null> {
  if (tls.crlPath === null) return null;
  const scope = log.scope("ztunnel::tls::crl");
  const write: WriteLine = (level, message, fields) => scope[level](message, fields);
  const source = await CrlSource.open({ path: tls.crlPath, clock: SYSTEM_CLOCK, log: write });
  if (source.problem !== null) {
    readiness.register(TASK);
    void source.usable.then(() => readiness.complete(TASK));
  }
  const coverage = new CrlCoverage(write);
  return {
    usable: source.usable,
    learn: (issued) => coverage.addCertificate(issued),
    follow(send) {
      const replace = (lists: readonly RevocationList[]) => {
        coverage.replace(lists);
        send(lists);
      };
      replace(source.lists);
      source.watch(replace);
    },
    close: () => source.close(),
  };
}

/** A certificate authority without cryptography, for tests of the certificate manager. */
import {
  type CertificateAuthority,
  CertificateError,
  type CertificateSubject,
  type IssuedCertificate,
} from "../authority.ts";
import { type SpiffeId, workloadId } from "../spiffe_id.ts";
import type { TestClock } from "./clock.ts";
import { NO_BUNDLES, type TrustBundles } from "../trust_bundles.ts";

/** Returns the id of service account `name`. */
export function testId(name: string): SpiffeId {
  return workloadId("td", "ns", name)!;
}

/** Returns the subject of service account `name`. */
export function testSubject(name: string, workloadUid: string | null = null): CertificateSubject {
  return { id: testId(name), workloadUid };
}

/** One call of `fetch`. */
interface TestCall {
  readonly name: string;
  readonly uid: string | null;
  /** ms since the epoch. */
  readonly at: number;
}

/** Issues certificates after a delay in virtual time and records the calls. */
export class TestAuthority implements CertificateAuthority {
  keyedBy: "identity" | "workload" = "identity";
  readonly calls: TestCall[] = [];
  /** If not null, fetches fail with it after the delay. */
  failure: CertificateError | null = null;
  /** ms, as are the following. */
  delay = 1000;
  lifetime = 100_000;
  backdate = 0;
  /** If not null, the id of the issued certificates. */
  answersFor: SpiffeId | null = null;
  readonly #clock: TestClock;
  #serial = 0;

  constructor(clock: TestClock) {
    this.#clock = clock;
  }

  get names(): string[] {
    return this.calls.map((call) => call.name);
  }

  async fetch(subject: CertificateSubject, signal: AbortSignal): Promise<IssuedCertificate> {
    const name = subject.id.slice(subject.id.lastIndexOf("/") + 1);
    this.calls.push({ name, uid: subject.workloadUid, at: this.#clock.now() });
    await Promise.race([this.#clock.sleep(this.delay), aborted(signal)]);
    if (this.failure !== null) throw this.failure;
    const now = this.#clock.now();
    return {
      id: this.answersFor ?? subject.id,
      chain: [Uint8Array.of(++this.#serial)],
      key: new Uint8Array(),
      notBefore: now - this.backdate,
      notAfter: now - this.backdate + this.lifetime,
      serial: String(this.#serial),
      bundles: NO_BUNDLES,
    };
  }

  bundles(): TrustBundles {
    return NO_BUNDLES;
  }

  close(): void {}
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
}

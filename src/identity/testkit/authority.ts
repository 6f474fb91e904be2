/** A certificate authority without cryptography, for tests of those who use one. */
import {
  type CertificateAuthority,
  CertificateError,
  type CertificateSubject,
  type IssuedCertificate,
} from "../authority.ts";
import { type SpiffeId, workloadId } from "../spiffe_id.ts";
import type { TestClock } from "./clock.ts";
import { NO_BUNDLES, type TrustBundles } from "../trust_bundles.ts";

export function testId(name: string): SpiffeId {
  return workloadId("td", "ns", name)!;
}

export function testSubject(name: string, workloadUid: string | null = null): CertificateSubject {
  return { id: testId(name), workloadUid };
}

/** One request the authority got. */
export interface TestCall {
  readonly name: string;
  readonly uid: string | null;
  /** ms since the epoch. */
  readonly at: number;
}

export class TestAuthority implements CertificateAuthority {
  keyedBy: "identity" | "workload" = "identity";
  readonly calls: TestCall[] = [];
  /** Set: fetches fail with it once their time is over. */
  failure: CertificateError | null = null;
  /** ms. */
  delay = 1000;
  lifetime = 100_000;
  backdate = 0;
  /** In place of the subject's own id. */
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

/** A certificate manager with an authority and a clock, under virtual time. */
import { strict as assert } from "node:assert";
import { CertificateError, type CertificateSubject, type IssuedCertificate } from "../authority.ts";
import { CertificateManager, type CertificateManagerOptions } from "../certificate_manager.ts";
import type { CertificateState } from "../certificate_state.ts";
import { Priority } from "../fetch_queue.ts";
import { logManagerEvents } from "../manager_events.ts";
import { TestAuthority, testSubject } from "./authority.ts";
import { TestClock } from "./clock.ts";

/** The time at the start of each test, in ms since the epoch. */
export const START = Date.UTC(2026, 0, 1);

/** The error of an unreachable CA. */
export const unreachable = new CertificateError(
  "signing gRPC error (Unknown error): client error (Connect)",
  "SIGNING_REQUEST",
);

/** A manager under test; records log lines and changes. */
export class ManagerBench {
  readonly clock = new TestClock(START);
  readonly authority = new TestAuthority(this.clock);
  readonly lines: string[] = [];
  readonly changes: [CertificateSubject, CertificateState | null][] = [];
  readonly manager: CertificateManager;

  constructor(options: Partial<CertificateManagerOptions> = {}) {
    this.manager = new CertificateManager({
      authority: this.authority,
      clock: this.clock,
      random: () => 0.5,
      events: logManagerEvents((level, message) => this.lines.push(`${level} ${message}`)),
      onChange: (subject, state) => this.changes.push([subject, state]),
      ...options,
    });
  }

  /** Requests a certificate; the result is filled in when the request ends. */
  request(name: string, priority = Priority.RealTime, signal?: AbortSignal): PendingRequest {
    const result: PendingRequest = { value: null, error: null, at: null };
    const done = () => result.at = this.clock.now() - START;
    this.manager.get(testSubject(name), priority, signal).then(
      (value) => (result.value = value, done()),
      (error) => (result.error = error, done()),
    );
    return result;
  }

  /** Returns the certificate of `name`; advances the time up to 200 s for it. */
  async certificate(name: string): Promise<IssuedCertificate> {
    const result = this.request(name);
    for (let i = 0; i < 200 && result.at === null; i++) await this.clock.advance(1000);
    assert.ok(result.value !== null);
    return result.value;
  }

  /** The time of each call of the authority, in seconds after the start. */
  get callTimes(): number[] {
    return this.authority.calls.map((call) => (call.at - START) / 1000);
  }
}

/** The result of a request; all fields are null while it is pending. */
export interface PendingRequest {
  value: IssuedCertificate | null;
  error: Error | null;
  /** ms after the start. */
  at: number | null;
}

/** A certificate manager with everything around it, under virtual time. */
import { strict as assert } from "node:assert";
import { CertificateError, type CertificateSubject, type IssuedCertificate } from "../authority.ts";
import { CertificateManager, type CertificateManagerOptions } from "../certificate_manager.ts";
import type { CertificateState } from "../certificate_state.ts";
import { Priority } from "../fetch_queue.ts";
import { logManagerEvents } from "../manager_events.ts";
import { TestAuthority, testSubject } from "./authority.ts";
import { TestClock } from "./clock.ts";

export const START = Date.UTC(2026, 0, 1);

/** What an unreachable CA looks like. */
export const broken = new CertificateError(
  "signing gRPC error (Unknown error): client error (Connect)",
  "SIGNING_REQUEST",
);

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

  /** What a request ends with; filled in when it does. */
  ask(name: string, priority = Priority.RealTime, signal?: AbortSignal): Answer {
    const answer: Answer = { value: null, error: null, at: null };
    const done = () => answer.at = this.clock.now() - START;
    this.manager.get(testSubject(name), priority, signal).then(
      (value) => (answer.value = value, done()),
      (error) => (answer.error = error, done()),
    );
    return answer;
  }

  /** Certificate of `name`, waiting as long as it takes within 200 s. */
  async have(name: string): Promise<IssuedCertificate> {
    const answer = this.ask(name);
    for (let i = 0; i < 200 && answer.at === null; i++) await this.clock.advance(1000);
    assert.ok(answer.value !== null);
    return answer.value;
  }

  /** Time of each call in seconds after the start. */
  get callTimes(): number[] {
    return this.authority.calls.map((call) => (call.at - START) / 1000);
  }
}

export interface Answer {
  value: IssuedCertificate | null;
  error: Error | null;
  /** ms after the start. */
  at: number | null;
}

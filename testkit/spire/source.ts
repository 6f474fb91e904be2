/** A SPIRE authority under virtual time, with a source that the test controls. */
import type { BundleMap } from "../../src/authorities/spire/bundles.ts";
import { SpireAuthority } from "../../src/authorities/spire/spire_authority.ts";
import type {
  Attestation,
  SourceEvents,
  SvidMessage,
  SvidSource,
  SvidStream,
  SvidWords,
} from "../../src/authorities/spire/source.ts";
import type { RawSvid } from "../../src/authorities/spire/svid.ts";
import {
  CertificateError,
  type CertificateErrorCode,
  type CertificateSubject,
  type IssuedCertificate,
} from "../../src/identity/authority.ts";
import { parseTrustDomain, workloadId } from "../../src/identity/spiffe_id.ts";
import { TestClock } from "../../src/identity/testkit/clock.ts";
import { type SpireCa, spireCa } from "./ca.ts";

/** The time at the start of each test, in ms since the epoch. */
export const START = Date.UTC(2026, 0, 1);

/** One stream that the session under test has opened. */
export class ScriptedStream implements SvidStream {
  readonly #messages: (SvidMessage | CertificateError | null)[] = [];
  #waiting: PromiseWithResolvers<void> | null = null;
  #failure: CertificateError | null = null;
  ended = false;

  constructor(readonly subject: CertificateSubject, signal: AbortSignal) {
    signal.addEventListener("abort", () => {
      this.ended = true;
      this.fail(new CertificateError("cancelled", "CLOSED"));
    });
  }

  /** Sends a message with these SVIDs. */
  sends(...svids: readonly RawSvid[]): void {
    this.message({ svids, federatesWith: [], bundles: null });
  }

  /** Sends a message; null: the end of the stream. */
  message(message: SvidMessage | CertificateError | null): void {
    this.#messages.push(message);
    this.#waiting?.resolve();
  }

  /** Ends the stream with an error. */
  fail(error: CertificateError): void {
    this.#failure = error;
    this.#waiting?.resolve();
  }

  async read(): Promise<SvidMessage | CertificateError | null> {
    for (;;) {
      const next = this.#messages.shift();
      if (next !== undefined) return next;
      if (this.#failure !== null) throw this.#failure;
      this.#waiting = Promise.withResolvers();
      await this.#waiting.promise;
    }
  }
}

/** Short texts of errors. */
export const WORDS: SvidWords = {
  noEntry: (id, target) => `no registration entry for ${id} that fits ${target}`,
  mismatch: (id, got) => `invalid spiffe identity: Mismatched identity: expected ${id}, got ${got}`,
  ended: () => "No SVIDs received in stream",
  timedOut: (cause) => `Timeout while waiting for SVID stream (${cause})`,
};

/** A source that opens scripted streams. */
class ScriptedSource implements SvidSource {
  keyedBy: "identity" | "workload" = "workload";
  readonly words = WORDS;
  withdrawsOn: ReadonlySet<CertificateErrorCode> = new Set();
  readonly streams: ScriptedStream[] = [];
  events: SourceEvents | null = null;
  attestations = 0;
  /** The time of each attestation, in ms after the start. */
  readonly attestedAt: number[] = [];
  /** The number of processes of the pod. */
  processes = 1;
  /** If not null, attestations fail with it. */
  refusal: CertificateError | null = null;
  /** If not null, the process is not the pod's any more. */
  processProblem: CertificateError | null = null;
  /** Called with each new stream. */
  script: (stream: ScriptedStream) => void = () => {};
  closed = false;
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The newest stream. */
  get last(): ScriptedStream {
    return this.streams.at(-1)!;
  }

  start(events: SourceEvents): void {
    this.events = events;
  }

  // deno-lint-ignore require-await -- so that errors become rejections
  async attest(subject: CertificateSubject, turn: number): Promise<Attestation> {
    this.attestations++;
    this.attestedAt.push(this.#now());
    if (this.refusal !== null) throw this.refusal;
    const confirm = () => this.processProblem === null ? Promise.resolve() : Promise.reject(this.processProblem);
    const open = (signal: AbortSignal) => {
      const stream = new ScriptedStream(subject, signal);
      this.streams.push(stream);
      this.script(stream);
      return Promise.resolve(stream);
    };
    return {
      target: `PID ${10 + turn}`,
      open,
      confirm,
      problem: () => this.processProblem,
      more: turn + 1 < this.processes,
    };
  }

  close(): void {
    this.closed = true;
  }
}

/** Settings of a bench. */
interface BenchOptions {
  /** Default "workload": the agent inspects the pod. */
  readonly keyedBy?: "identity" | "workload";
  readonly maxSubjects?: number;
  readonly concurrency?: number;
  /** Default true: the bundle of example.org is known. */
  readonly bundles?: boolean;
}

/** An authority under test; records log lines and updates. */
export class SpireBench {
  readonly clock = new TestClock(START);
  readonly source = new ScriptedSource(() => this.clock.now() - START);
  readonly ca: SpireCa = spireCa("example.org");
  readonly lines: string[] = [];
  readonly updates: string[] = [];
  readonly authority: SpireAuthority;

  constructor({ maxSubjects = 100, concurrency = 8, bundles = true, keyedBy = "workload" }: BenchOptions = {}) {
    this.source.keyedBy = keyedBy;
    this.authority = new SpireAuthority({
      source: this.source,
      trustDomain: parseTrustDomain("example.org")!,
      clock: this.clock,
      random: () => 0.5,
      timeout: 10_000,
      concurrency,
      maxSubjects,
      log: (level, message) => level === "debug" || this.lines.push(`${level} ${message}`),
    });
    this.authority.onUpdate((_, update) => this.updates.push(describe(update)));
    if (bundles) this.bundles({ "example.org": [this.ca.root.certificate] });
  }

  /** Sends these trust bundles. */
  bundles(anchors: Record<string, readonly Uint8Array[]>): void {
    const map: BundleMap = new Map(Object.entries(anchors).map(([name, ders]) => [parseTrustDomain(name)!, ders]));
    this.source.events!.onBundles(map);
  }

  /** Issues an SVID for {@link subjectOf}. */
  svid(name = "test-sa", lifetime = 3600_000): RawSvid {
    return this.ca.issue(`/ns/default/sa/${name}`, { now: this.clock.now(), lifetime });
  }

  /** Starts a fetch and runs all pending work without advancing the time. */
  async request(subject = subjectOf()): Promise<PendingRequest> {
    const pending: PendingRequest = { issued: null, error: null };
    this.authority.fetch(subject, new AbortController().signal).then(
      (issued) => pending.issued = issued,
      (error) => pending.error = error,
    );
    await this.clock.advance(0);
    return pending;
  }

  /** Returns a certificate of `name` from a stream that stays open. */
  async certificate(name = "test-sa", lifetime?: number): Promise<IssuedCertificate> {
    const pending = await this.request(subjectOf(name));
    this.source.last.sends(this.svid(name, lifetime));
    await this.clock.advance(0);
    if (pending.issued === null) throw pending.error ?? new Error("no answer");
    return pending.issued;
  }
}

/** The result of a request; both fields are null while it is pending. */
interface PendingRequest {
  issued: IssuedCertificate | null;
  error: CertificateError | null;
}

/** Returns the subject of a pod of service account `name`. */
export function subjectOf(name = "test-sa", workloadUid: string | null = "uid-123456"): CertificateSubject {
  return { id: workloadId("example.org", "default", name)!, workloadUid };
}

/** Returns the serial of a certificate, or the text of an error. */
export function describe(update: IssuedCertificate | CertificateError): string {
  return update instanceof CertificateError ? update.message : update.serial;
}

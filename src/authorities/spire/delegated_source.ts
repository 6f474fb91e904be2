/** SVIDs by SPIRE's Delegated Identity API: by process, by selectors, by selectors of one pod. */
import { CertificateError, type CertificateSubject } from "../../identity/authority.ts";
import type { WallClock } from "../../identity/certificate_manager.ts";
import type { WriteLine } from "../../identity/manager_events.ts";
import type { SpiffeId, TrustDomain } from "../../identity/spiffe_id.ts";
import { type RawBundles, readBundles } from "./bundles.ts";
import type { DelegatedApi, DelegatedRequest } from "./delegated_api.ts";
import { followStream } from "./follow_stream.ts";
import type { FindPod, LocalPod } from "./local_pods.ts";
import { accountSelectors, formatSelectors, podSelectors } from "./selectors.ts";
import type { Attestation, SourceEvents, SvidSource, SvidWords } from "./source.ts";

/** How a subject is named to the agent, and watched. */
export interface SubjectNaming {
  readonly keyedBy: "identity" | "workload";
  /** `turn`: see `SvidSource.attest`. Rejects with {@link CertificateError}. */
  name(subject: CertificateSubject, turn: number, signal: AbortSignal): Promise<NamedSubject>;
  /** Only for attestation by process: reports the pods that have a new process, until the signal is aborted. */
  watch?(onStarted: (workloadUid: string) => void, until: AbortSignal): void;
  close(): void;
}

export interface NamedSubject extends Omit<Attestation, "open"> {
  readonly request: DelegatedRequest;
}

export interface DelegatedParts {
  readonly api: DelegatedApi;
  readonly naming: SubjectNaming;
  readonly trustDomain: TrustDomain;
  readonly clock: WallClock;
  readonly random: () => number;
  readonly log: WriteLine;
}

/** The bundle stream doubles as the sign that the agent is there, so it does not wait for long. */
const LONGEST_PAUSE = 5_000;
/** ms within which a stream must bring its first message. */
const FIRST_MESSAGE = 30_000;

export function delegatedSource(parts: DelegatedParts): SvidSource {
  const { api, naming } = parts;
  const ending = new AbortController();
  return {
    keyedBy: naming.keyedBy,
    words: WORDS,
    // O19: an agent that has just started refuses its delegates for some seconds.
    withdrawsOn: new Set(),
    start(events) {
      followBundles(parts, events, ending.signal);
      naming.watch?.((uid) => events.onContainerStarted(uid), ending.signal);
    },
    async attest(subject, turn, signal) {
      const { request, ...named } = await naming.name(subject, turn, signal);
      return { ...named, open: (until) => api.subscribeSvids(request, failed(named.asked), until) };
    },
    close() {
      ending.abort();
      naming.close();
      api.close();
    },
  };
}

const failed = (asked: string) =>
  `failed to fetch certificate for workload: Failed to fetch certificate for ${asked}: `;

const WORDS: SvidWords = {
  noEntry: (id, asked) =>
    `no registration entry for ${id}: SPIRE has none that fits ${asked} ` +
    `(spire-server entry show -spiffeID ${id}; a new entry takes some seconds to reach the agent)`,
  mismatch: (id, got, asked) => {
    const inner = /\/ns\/[^/]+\/sa\/[^/]+$/.test(got) ? `Mismatched identity: expected ${id}, got ${got}` : got;
    return `${failed(asked)}invalid spiffe identity: ${inner}`;
  },
  ended: (asked) => `${failed(asked)}No SVIDs received in stream`,
  timedOut: (cause, asked) => `${failed(asked)}Timeout while waiting for SVID stream (${cause})`,
};

function followBundles({ api, trustDomain, clock, random, log }: DelegatedParts, to: SourceEvents, until: AbortSignal) {
  const warn = (text: string) => log("warn", text, {});
  let own: readonly Uint8Array[] = [];
  const take = (raw: RawBundles) => {
    const bundles = new Map(readBundles(raw, warn));
    const found = bundles.get(trustDomain) ?? [];
    // An empty bundle would refuse every peer. What was good a moment ago is the better guess.
    if (found.length > 0) own = found;
    else if (own.length > 0) {
      warn(`the SPIRE agent has no usable bundle of ${trustDomain} any more; keeping the last one`);
    }
    if (own.length > 0) bundles.set(trustDomain, own);
    to.onBundles(bundles);
  };
  followStream<RawBundles | CertificateError>({
    clock,
    random,
    longestPause: LONGEST_PAUSE,
    firstMessage: FIRST_MESSAGE,
    open: (signal) => api.subscribeBundles(signal),
    onMessage: (message) => {
      if (message instanceof CertificateError) warn(`Error receiving bundles: ${message.message}`);
      else take(message);
    },
    onProblem: (error, retryIn, news) => {
      log(news ? "warn" : "debug", `${error.message}; next try in ${(retryIn / 1000).toFixed(1)} s`, {});
      to.onProblem(error);
    },
    onBack: () => {
      log("info", "the SPIRE agent answers again", {});
      to.onBack();
    },
  }, until);
}

/** By namespace and service account: one certificate for all pods of an account. */
export function byAccount(): SubjectNaming {
  return {
    keyedBy: "identity",
    // deno-lint-ignore require-await -- so that a refusal is a rejection
    async name(subject) {
      return vouchedFor(accountSelectors(subject));
    },
    close: () => {},
  };
}

/** Selectors: namespace, service account, name and uid of the pod. `own`: id of the proxy, by its account; or null. */
export function byPod(findPod: FindPod, own: SpiffeId | null): SubjectNaming {
  return {
    keyedBy: "workload",
    // deno-lint-ignore require-await -- so that a refusal is a rejection
    async name(subject) {
      if (isOwn(subject, own)) return vouchedFor(accountSelectors(subject));
      return vouchedFor(podSelectors(subject, podOf(subject, findPod)));
    },
    close: () => {},
  };
}

/** The proxy's own workload, which serves its metrics over HBONE and which no CNI agent announces. */
export function isOwn({ id, workloadUid }: CertificateSubject, own: SpiffeId | null): boolean {
  return workloadUid === null && id === own;
}

export function vouchedFor(selectors: ReturnType<typeof accountSelectors>): NamedSubject {
  return {
    request: { selectors },
    asked: `selectors ${formatSelectors(selectors)}`,
    confirm: () => Promise.resolve(),
    problem: () => null,
  };
}

function podOf({ id, workloadUid }: CertificateSubject, findPod: FindPod): LocalPod {
  if (workloadUid === null) throw workloadKeyExpected(id);
  const pod = findPod(workloadUid);
  if (pod !== null) return pod;
  throw new CertificateError(
    `workload is unknown: the CNI agent has not announced pod ${workloadUid}`,
    "UNKNOWN_WORKLOAD",
  );
}

/** P17. */
export function workloadKeyExpected(id: string): CertificateError {
  const text = `invalid configuration: expected Workload key for SPIRE attestation of ${id}`;
  return new CertificateError(text, "CONFIGURATION");
}

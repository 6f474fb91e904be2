/** SVIDs by SPIRE's Delegated Identity API; subjects are named by process, by selectors, or by selectors of one pod. */
import { CertificateError, type CertificateSubject } from "../../identity/authority.ts";
import type { WriteLine } from "../../identity/manager_events.ts";
import type { SpiffeId, TrustDomain } from "../../identity/spiffe_id.ts";
import type { WallClock } from "../../net/clock.ts";
import { type RawBundles, readBundles } from "./bundles.ts";
import type { DelegatedApi, DelegatedRequest } from "./delegated_api.ts";
import { followStream } from "./follow_stream.ts";
import type { FindPod, LocalPod } from "./local_pods.ts";
import { accountSelectors, formatSelectors, podSelectors } from "./selectors.ts";
import type { Attestation, SourceEvents, SvidSource, SvidWords } from "./source.ts";

/** Makes the requests by which subjects are named to the agent. */
export interface SubjectNaming {
  readonly keyedBy: "identity" | "workload";
  /** Returns the request for a subject. `turn`: see `SvidSource.attest`. Rejects with {@link CertificateError}. */
  name(subject: CertificateSubject, turn: number, signal: AbortSignal): Promise<NamedSubject>;
  /** Only for attestation by process: reports the pods that have a new process, until the signal is aborted. */
  watch?(onStarted: (workloadUid: string) => void, until: AbortSignal): void;
  close(): void;
}

/** A subject with its request. */
export interface NamedSubject extends Omit<Attestation, "open"> {
  readonly request: DelegatedRequest;
}

/** What a source needs. */
interface DelegatedParts {
  readonly api: DelegatedApi;
  readonly naming: SubjectNaming;
  readonly trustDomain: TrustDomain;
  readonly clock: WallClock;
  readonly random: () => number;
  readonly log: WriteLine;
}

/** ms. The bundle stream also shows whether the agent is reachable, so its delays are short. */
const LONGEST_PAUSE = 5_000;
/** ms until the first message of a stream. */
const FIRST_MESSAGE = 30_000;

/** Returns the source for `SpireAuthority`. */
export function delegatedSource(parts: DelegatedParts): SvidSource {
  const { api, naming } = parts;
  const ending = new AbortController();
  return {
    keyedBy: naming.keyedBy,
    words: WORDS,
    // No failure withdraws: an agent that has just started refuses its delegates for some seconds (observed.md O19).
    withdrawsOn: new Set(),
    start(events) {
      followBundles(parts, events, ending.signal);
      naming.watch?.((uid) => events.onContainerStarted(uid), ending.signal);
    },
    async attest(subject, turn, signal) {
      const { request, ...named } = await naming.name(subject, turn, signal);
      return { ...named, open: (until) => api.subscribeSvids(request, failed(named.target), until) };
    },
    close() {
      ending.abort();
      naming.close();
      api.close();
    },
  };
}

const failed = (target: string) =>
  `failed to fetch certificate for workload: Failed to fetch certificate for ${target}: `;

const WORDS: SvidWords = {
  noEntry: (id, target) =>
    `no registration entry for ${id}: SPIRE has none that fits ${target} ` +
    `(spire-server entry show -spiffeID ${id}; a new entry takes some seconds to reach the agent)`,
  mismatch: (id, got, target) => {
    const inner = /\/ns\/[^/]+\/sa\/[^/]+$/.test(got) ? `Mismatched identity: expected ${id}, got ${got}` : got;
    return `${failed(target)}invalid spiffe identity: ${inner}`;
  },
  ended: (target) => `${failed(target)}No SVIDs received in stream`,
  timedOut: (cause, target) => `${failed(target)}Timeout while waiting for SVID stream (${cause})`,
};

function followBundles({ api, trustDomain, clock, random, log }: DelegatedParts, to: SourceEvents, until: AbortSignal) {
  const warn = (text: string) => log("warn", text, {});
  let own: readonly Uint8Array[] = [];
  const apply = (raw: RawBundles) => {
    const bundles = new Map(readBundles(raw, warn));
    const found = bundles.get(trustDomain) ?? [];
    // With an empty bundle every peer would be refused, so the last usable one is kept.
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
      else apply(message);
    },
    onProblem: (error, retryIn, isNew) => {
      log(isNew ? "warn" : "debug", `${error.message}; next try in ${(retryIn / 1000).toFixed(1)} s`, {});
      to.onProblem(error);
    },
    onRecovered: () => {
      log("info", "the SPIRE agent answers again", {});
      to.onRecovered();
    },
  }, until);
}

/** Names subjects by namespace and service account: one certificate for all pods of an account. */
export function byAccount(): SubjectNaming {
  return {
    keyedBy: "identity",
    // deno-lint-ignore require-await -- so that errors become rejections
    async name(subject) {
      return namedBySelectors(accountSelectors(subject));
    },
    close: () => {},
  };
}

/**
 * Names subjects by namespace, service account, pod name and pod uid. `own`: SPIFFE id of the proxy, which is named by
 * its account; null: not known.
 */
export function byPod(findPod: FindPod, own: SpiffeId | null): SubjectNaming {
  return {
    keyedBy: "workload",
    // deno-lint-ignore require-await -- so that errors become rejections
    async name(subject) {
      if (isOwn(subject, own)) return namedBySelectors(accountSelectors(subject));
      return namedBySelectors(podSelectors(subject, podOf(subject, findPod)));
    },
    close: () => {},
  };
}

/** Returns whether the subject is the proxy's own workload, which the CNI agent does not announce. */
export function isOwn({ id, workloadUid }: CertificateSubject, own: SpiffeId | null): boolean {
  return workloadUid === null && id === own;
}

/** Names a subject by selectors. The agent does not inspect a process, so there is nothing to confirm. */
export function namedBySelectors(selectors: ReturnType<typeof accountSelectors>): NamedSubject {
  return {
    request: { selectors },
    target: `selectors ${formatSelectors(selectors)}`,
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

/** Makes the error for a subject without a pod uid (`docs/spec/identity-spire.md` P17). */
export function workloadKeyExpected(id: string): CertificateError {
  const text = `invalid configuration: expected Workload key for SPIRE attestation of ${id}`;
  return new CertificateError(text, "CONFIGURATION");
}

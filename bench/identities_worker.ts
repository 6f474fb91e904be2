/**
 * The part of a data-plane worker that keeps certificates, in a real loop that records the duration of its turns. Each
 * turn prepares a handshake, as with traffic.
 */
import { CredentialStore } from "../src/dataplane/credential_store.ts";
import type { ToWorker } from "../src/dataplane/messages.ts";
import type { CertificateSubject } from "../src/identity/authority.ts";
import { tlsPolicy } from "../src/identity/tls_policy.ts";
import { Reactor } from "../src/net/reactor.ts";
import { TlsEngine } from "../src/net/tls_engine.ts";
import { openTlsLibrary } from "../src/os/open_tls_library.ts";
import { threadCpuMillis } from "./thread_cpu.ts";

/** The durations of turns. */
export interface LoopReport {
  /** ms of the longest turn, and of the one in which this thread ran longest. */
  readonly turn: number;
  readonly turnCpu: number;
}

/** Messages to the main thread. */
export type FromIdentityWorker =
  | { readonly kind: "ready"; readonly wake: number }
  /** `count` more certificates have arrived. */
  | { readonly kind: "have"; readonly count: number }
  | { readonly kind: "report"; readonly report: LoopReport };

type ToIdentityWorker =
  | ToWorker
  | { readonly kind: "begin"; readonly library: string | undefined }
  /** From now on turns are recorded, and handshakes with these certificates are prepared. */
  | { readonly kind: "measure"; readonly subjects: readonly CertificateSubject[] }
  | { readonly kind: "report" };

const scope = globalThis as unknown as {
  postMessage(message: FromIdentityWorker): void;
  onmessage: (event: MessageEvent<ToIdentityWorker>) => void;
};

const reactor = new Reactor({ onShed() {}, onError: (error) => console.error(error) });
let store: CredentialStore | null = null;
/** Certificates by pod. */
const serials = new Map<string, string>();
let arrived = 0;

function begin(library: string | undefined): void {
  const policy = tlsPolicy({ tls12: false, postQuantumOnly: false, fips: false });
  const engine = new TlsEngine(openTlsLibrary(library), policy);
  const source = { request() {}, makeContext: engine.context.bind(engine) };
  store = new CredentialStore(reactor, source, Date.now);
  void reactor.run("own-thread");
  scope.postMessage({ kind: "ready", wake: reactor.wakeDescriptor });
}

/** Records turns, and uses one certificate in each. */
class Recorder {
  #last = performance.now();
  #lastCpu = threadCpuMillis();
  #turn = 0;
  #turnCpu = 0;
  #next = 0;

  constructor(readonly subjects: readonly CertificateSubject[]) {}

  get report(): LoopReport {
    return { turn: this.#turn, turnCpu: this.#turnCpu };
  }

  runTurn(): void {
    const now = performance.now(), cpu = threadCpuMillis();
    this.#turn = Math.max(this.#turn, now - this.#last);
    this.#turnCpu = Math.max(this.#turnCpu, cpu - this.#lastCpu);
    [this.#last, this.#lastCpu] = [now, cpu];
    const { id, workloadUid } = this.subjects[this.#next++ % this.subjects.length]!;
    store!.of(workloadUid).get(id, { onCredential() {}, onCredentialFailure: (text) => console.error(text) });
    reactor.nextTurn(this);
  }
}

let recorder: Recorder | null = null;

scope.onmessage = ({ data }) => {
  switch (data.kind) {
    case "begin":
      return begin(data.library);
    case "certificate":
      store!.set(data.issued, data.workloadUid);
      return noteArrival(data.workloadUid, data.issued.serial);
    case "measure":
      recorder = new Recorder(data.subjects);
      return reactor.nextTurn(recorder);
    case "report":
      return scope.postMessage({ kind: "report", report: recorder!.report });
  }
};

/** A certificate may be sent more than once. */
function noteArrival(uid: string | null, serial: string): void {
  if (uid === null || serials.get(uid) === serial) return;
  serials.set(uid, serial);
  if (arrived++ === 0) reactor.nextTurn({ runTurn: tellArrivals });
}

/** Reports the certificates of one turn together, as a message for each would affect the measurement. */
function tellArrivals(): void {
  scope.postMessage({ kind: "have", count: arrived });
  arrived = 0;
}

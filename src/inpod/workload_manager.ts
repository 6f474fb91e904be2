/**
 * What the agent says and what becomes of it (`docs/spec/inpod-dns.md` A1.4 to A1.11): messages in, answers and changes
 * of readiness out. No sockets and no clock. One object for the life of the process, over all connections to the agent:
 *
 *              connected              snapshot complete
 *     down ───────────────▶ snapshot ──────────────────▶ live
 *      ▲                       │                           │
 *      └──────── disconnected ─┴───────────────────────────┘        a breach of protocol ends the process
 *
 * One message at a time: while pods start nothing is taken from the agent (`busy`).
 */
import { bare } from "../telemetry/log_fields.ts";
import type { Log, LogScope } from "../telemetry/log.ts";
import { quoteList } from "../telemetry/rust_text.ts";
import type { Pod, PodHost, PodNamespace, PodUid } from "./pod.ts";
import { type PodCounters, PodRegistry, type PodState } from "./pod_registry.ts";
import type { ZdsRequest } from "./zds_message.ts";

/** Failed pods are tried again after this many ms. */
export const RETRY_DELAY = 5000;

export interface ManagerPorts {
  /** Answers the message that was taken; null is success. */
  answer(error: string | null): void;
  setReady(ready: boolean): void;
  /** Have {@link WorkloadManager.retry} called after {@link RETRY_DELAY}. */
  scheduleRetry(): void;
  cancelRetry(): void;
  /** The agent and we do not understand each other: it is told, and the process ends (A1.9). */
  onBreach(text: string): void;
}

export class WorkloadManager {
  readonly #ports: ManagerPorts;
  readonly #registry: PodRegistry;
  readonly #stateLog: LogScope;
  readonly #log: LogScope;
  #connection: "down" | "snapshot" | "live" = "down";
  /** Known pods named since the connection was made: of those that are served nobody else survives the snapshot. */
  readonly #named = new Set<PodUid>();
  /** The pod whose Add waits for its answer. `connection` is over: nobody waits for that. */
  #adding: { readonly uid: PodUid; answerable: boolean } | null = null;
  /** Pods of a round of retries. */
  readonly #retrying = new Set<PodUid>();
  #retryScheduled = false;

  constructor(ports: ManagerPorts, host: PodHost, counters: PodCounters, log: Log) {
    this.#ports = ports;
    this.#stateLog = log.scope("ztunnel::inpod::statemanager");
    this.#log = log.scope("ztunnel::inpod::workloadmanager");
    this.#registry = new PodRegistry(host, counters, { onOutcome: (uid, error) => this.#outcome(uid, error) });
  }

  /** Pods are being started: take no message from the agent. Look again after any of the host's answers. */
  get busy(): boolean {
    return this.#adding !== null || this.#retrying.size > 0;
  }

  get pods(): readonly PodState[] {
    return this.#registry.states;
  }

  /** The next packets are of a new connection. What is served stays so; what failed is forgotten (A1.4). */
  connected(): void {
    this.#connection = "snapshot";
    this.#named.clear();
    this.#registry.forgetAllPending();
  }

  disconnected(): void {
    if (this.#connection === "down") return;
    this.#connection = "down";
    if (this.#adding !== null) this.#adding.answerable = false;
    this.#unscheduleRetry();
    this.#ports.setReady(false);
  }

  /** Takes over the reference to `namespace`, which comes with an Add and with nothing else. */
  receive(request: ZdsRequest, namespace: PodNamespace | null): void {
    switch (request.kind) {
      case "add":
        return this.#add(request, namespace!);
      case "keep":
        return this.#keep(request.uid);
      case "delete":
        return this.#delete(request.uid);
      case "snapshot-sent":
        return this.#snapshotSent();
      default:
        request satisfies never;
    }
  }

  /** The time has come to try failed pods again. */
  retry(): void {
    this.#retryScheduled = false;
    const uids = this.#registry.pendingUids;
    for (const uid of uids) this.#retrying.add(uid);
    for (const uid of uids) {
      this.#stateLog.info("retrying workload", { uid });
      this.#registry.retry(uid);
    }
  }

  #add({ uid, workload }: Extract<ZdsRequest, { kind: "add" }>, namespace: PodNamespace): void {
    const { name = "", namespace: where = "" } = workload ?? {};
    this.#stateLog.info("pod received, starting proxy", { uid, name, namespace: where });
    if (workload === null) {
      namespace.release();
      return this.#breach("workload_info is required but not present");
    }
    const pod: Pod = { uid, workload, namespace };
    const result = this.#registry.add(pod);
    this.#name(uid);
    if (result === "served") return this.#succeeded();
    if (result === "starting") this.#adding = { uid, answerable: true };
    else this.#addFailed(uid, result.refused);
  }

  #keep(uid: PodUid): void {
    if (this.#connection !== "snapshot") return this.#breach("pod keep received after snapshot");
    this.#stateLog.info("pod keep received. will not delete it when snapshot is sent", { uid });
    this.#name(uid);
    this.#succeeded();
  }

  #name(uid: PodUid): void {
    if (this.#connection === "snapshot" && this.#registry.knows(uid)) this.#named.add(uid);
  }

  #delete(uid: PodUid): void {
    this.#stateLog.info("pod delete request, shutting down proxy", { uid });
    if (this.#connection === "snapshot") {
      // What is served ends with the snapshot.
      this.#named.delete(uid);
      this.#registry.forgetPending(uid);
    } else this.#registry.remove(uid);
    this.#succeeded();
  }

  #snapshotSent(): void {
    if (this.#connection !== "snapshot") return this.#breach("pod snapshot received already");
    this.#stateLog.info("received snapshot sent");
    for (const uid of this.#registry.runningUids) if (!this.#named.has(uid)) this.#registry.remove(uid);
    this.#named.clear();
    this.#connection = "live";
    this.#succeeded();
  }

  #outcome(uid: PodUid, error: string | null): void {
    if (this.#adding?.uid === uid) {
      const { answerable } = this.#adding;
      this.#adding = null;
      if (error !== null) this.#addFailed(uid, error, answerable);
      else if (answerable) this.#succeeded();
    } else if (this.#retrying.delete(uid)) {
      if (error !== null) this.#stateLog.info(`retrying workload failed: ${error}`, { uid });
      if (this.#retrying.size === 0) this.#retryRoundEnded();
    }
  }

  #addFailed(uid: PodUid, error: string, answerable = true): void {
    this.#log.error(`failed to start proxy: ${error}`, { uid: bare(uid) });
    if (!answerable) return;
    this.#scheduleRetry();
    this.#ports.answer(`failure to start proxy : ${error}`);
  }

  #retryRoundEnded(): void {
    if (this.#connection === "down") return;
    if (this.#registry.pendingUids.length > 0) this.#scheduleRetry();
    else this.#evaluateReadiness();
  }

  #scheduleRetry(): void {
    const uids = this.#registry.pendingUids;
    if (this.#retryScheduled || uids.length === 0) return;
    this.#retryScheduled = true;
    this.#log.info("scheduling retry", { uids: bare(quoteList(uids)) });
    this.#ports.scheduleRetry();
  }

  #unscheduleRetry(): void {
    if (!this.#retryScheduled) return;
    this.#retryScheduled = false;
    this.#ports.cancelRetry();
  }

  /** Readiness first: an agent that has the answer to its snapshot may rely on it (A1.9). */
  #succeeded(): void {
    this.#evaluateReadiness();
    this.#ports.answer(null);
  }

  #evaluateReadiness(): void {
    this.#ports.setReady(this.#connection === "live" && this.#registry.pendingUids.length === 0);
  }

  #breach(text: string): void {
    this.#log.error(`failed to process message: ProtocolError(${JSON.stringify(text)})`);
    this.#log.error("protocol mismatch error while processing stream, shutting down");
    this.#ports.setReady(false);
    this.#ports.onBreach(text);
  }
}

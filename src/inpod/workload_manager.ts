/**
 * Processes the messages of the node's agent (`docs/spec/inpod-dns.md` A1.4 to A1.11): it starts and stops pods, sends
 * acknowledgements and sets the readiness. It has no sockets and no clock. One object exists for the whole life of the
 * process, over all connections to the agent:
 *
 *              connected              snapshot complete
 *     down ───────────────▶ snapshot ──────────────────▶ live
 *      ▲                       │                           │
 *      └──────── disconnected ─┴───────────────────────────┘        a protocol error ends the process
 *
 * Messages are processed one at a time: while pods start, no message is read (`busy`).
 */
import { bare } from "../telemetry/log_fields.ts";
import type { Log, LogScope } from "../telemetry/log.ts";
import { quoteList } from "../telemetry/rust_text.ts";
import type { Pod, PodHost, PodNamespace, PodUid } from "./pod.ts";
import { type PodCounters, PodRegistry, type PodState } from "./pod_registry.ts";
import type { ZdsRequest } from "./zds_message.ts";

/** ms after which failed pods are retried. */
export const RETRY_DELAY = 5000;

/** What the manager causes outside. */
interface ManagerPorts {
  /** Acknowledges the current message; null: success. */
  acknowledge(error: string | null): void;
  /** Sets the readiness of pods; called also where it does not change. */
  setReady(ready: boolean): void;
  /** Schedules a call of {@link WorkloadManager.retry} after {@link RETRY_DELAY}. */
  scheduleRetry(): void;
  /** Cancels the scheduled call. */
  cancelRetry(): void;
  /** The agent violated the protocol: it receives the error, and the process ends (`docs/spec/inpod-dns.md` A1.9). */
  onProtocolError(text: string): void;
}

/** Processes the messages of the agent. See the picture above. */
export class WorkloadManager {
  readonly #ports: ManagerPorts;
  readonly #registry: PodRegistry;
  readonly #stateLog: LogScope;
  readonly #log: LogScope;
  #connection: "down" | "snapshot" | "live" = "down";
  /** Known pods that this snapshot has named so far. Other pods are removed at its end. */
  readonly #inSnapshot = new Set<PodUid>();
  /** The pod whose Add is not acknowledged yet. `expectsAck`: false after the connection has ended. */
  #adding: { readonly uid: PodUid; expectsAck: boolean } | null = null;
  /** The pods of the current round of retries that have not finished. */
  readonly #retrying = new Set<PodUid>();
  #retryScheduled = false;

  constructor(ports: ManagerPorts, host: PodHost, counters: PodCounters, log: Log) {
    this.#ports = ports;
    this.#stateLog = log.scope("ztunnel::inpod::statemanager");
    this.#log = log.scope("ztunnel::inpod::workloadmanager");
    this.#registry = new PodRegistry(host, counters, { onOutcome: (uid, error) => this.#outcome(uid, error) });
  }

  /** True while pods are being started: then no message may be received. Changes only with events of the host. */
  get busy(): boolean {
    return this.#adding !== null || this.#retrying.size > 0;
  }

  /** The states of all pods. */
  get pods(): readonly PodState[] {
    return this.#registry.states;
  }

  /** A new connection was made. Pods stay served; retries are cancelled (`docs/spec/inpod-dns.md` A1.4). */
  connected(): void {
    this.#connection = "snapshot";
    this.#inSnapshot.clear();
    this.#registry.cancelAllRetries();
  }

  /** The connection has ended. Pods stay served, and the proxy is not ready. */
  disconnected(): void {
    if (this.#connection === "down") return;
    this.#connection = "down";
    if (this.#adding !== null) this.#adding.expectsAck = false;
    this.#unscheduleRetry();
    this.#ports.setReady(false);
  }

  /** Processes a message. `namespace`: only with an Add; the manager takes over the reference. */
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

  /** Retries all failed pods. */
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
      return this.#protocolError("workload_info is required but not present");
    }
    const pod: Pod = { uid, workload, namespace };
    const result = this.#registry.add(pod);
    this.#noteInSnapshot(uid);
    if (result === "served") return this.#succeeded();
    if (result === "starting") this.#adding = { uid, expectsAck: true };
    else this.#addFailed(uid, result.refused);
  }

  #keep(uid: PodUid): void {
    if (this.#connection !== "snapshot") return this.#protocolError("pod keep received after snapshot");
    this.#stateLog.info("pod keep received. will not delete it when snapshot is sent", { uid });
    this.#noteInSnapshot(uid);
    this.#succeeded();
  }

  #noteInSnapshot(uid: PodUid): void {
    if (this.#connection === "snapshot" && this.#registry.has(uid)) this.#inSnapshot.add(uid);
  }

  #delete(uid: PodUid): void {
    this.#stateLog.info("pod delete request, shutting down proxy", { uid });
    if (this.#connection === "snapshot") {
      // A pod that is served is removed at the end of the snapshot.
      this.#inSnapshot.delete(uid);
      this.#registry.cancelRetry(uid);
    } else this.#registry.remove(uid);
    this.#succeeded();
  }

  #snapshotSent(): void {
    if (this.#connection !== "snapshot") return this.#protocolError("pod snapshot received already");
    this.#stateLog.info("received snapshot sent");
    for (const uid of this.#registry.runningUids) if (!this.#inSnapshot.has(uid)) this.#registry.remove(uid);
    this.#inSnapshot.clear();
    this.#connection = "live";
    this.#succeeded();
  }

  #outcome(uid: PodUid, error: string | null): void {
    if (this.#adding?.uid === uid) {
      const { expectsAck } = this.#adding;
      this.#adding = null;
      if (error !== null) this.#addFailed(uid, error, expectsAck);
      else if (expectsAck) this.#succeeded();
    } else if (this.#retrying.delete(uid)) {
      if (error !== null) this.#stateLog.info(`retrying workload failed: ${error}`, { uid });
      if (this.#retrying.size === 0) this.#retryRoundEnded();
    }
  }

  #addFailed(uid: PodUid, error: string, expectsAck = true): void {
    this.#log.error(`failed to start proxy: ${error}`, { uid: bare(uid) });
    if (!expectsAck) return;
    this.#scheduleRetry();
    this.#ports.acknowledge(`failure to start proxy : ${error}`);
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

  /** Sets the readiness before the acknowledgement, as the agent may rely on it then (`docs/spec/inpod-dns.md` A1.9). */
  #succeeded(): void {
    this.#evaluateReadiness();
    this.#ports.acknowledge(null);
  }

  #evaluateReadiness(): void {
    this.#ports.setReady(this.#connection === "live" && this.#registry.pendingUids.length === 0);
  }

  #protocolError(text: string): void {
    this.#log.error(`failed to process message: ProtocolError(${JSON.stringify(text)})`);
    this.#log.error("protocol mismatch error while processing stream, shutting down");
    this.#ports.setReady(false);
    this.#ports.onProtocolError(text);
  }
}

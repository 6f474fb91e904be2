/**
 * The connection to the node's agent: connects and reconnects, passes packets to the manager one by one, and sends the
 * acknowledgements.
 *
 *     waiting ──time──▶ connecting ──▶ connected ──end, error──▶ waiting
 *        ▲                  │ no agent, or sending the hello fails
 *        └──────────────────┘
 */
import type { Timer } from "../net/clock.ts";
import type { Ending } from "../net/duplex.ts";
import type { Scheduler } from "../net/network.ts";
import type { PacketSocket, Reception } from "../net/packet_socket.ts";
import type { Log, LogScope } from "../telemetry/log.ts";
import { LEVEL } from "../telemetry/log_level.ts";
import { durationText, quote } from "../telemetry/rust_text.ts";
import { takeNamespace } from "./namespace_reference.ts";
import type { PodHost, PodNamespace } from "./pod.ts";
import type { PodCounters, PodState } from "./pod_registry.ts";
import { announceDelay, brokenDelay, connectDelay } from "./reconnect.ts";
import { RETRY_DELAY, WorkloadManager } from "./workload_manager.ts";
import { decodeRequest, encodeAck, encodeHello, type ZdsRequest } from "./zds_message.ts";

/** How many packets are read per turn of the loop, so that other work is not delayed. */
const PACKETS_PER_TURN = 64;

/** The methods of the socket that are used. */
export type AgentSocket = Pick<PacketSocket, "start" | "receive" | "send" | "close">;

/** What a client needs. */
interface ZdsClientParts {
  readonly scheduler: Scheduler;
  /** The path of the agent's socket, for the log. */
  readonly path: string;
  /** Connects; returns the reason of a failure. */
  connect(): AgentSocket | Ending;
  readonly host: PodHost;
  readonly counters: PodCounters;
  readonly log: Log;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  setReady(ready: boolean): void;
  /** The agent violated the protocol: the process must end (`docs/spec/inpod-dns.md` A1.9). */
  onProtocolError(text: string): void;
}

type Packet = Extract<Reception, { kind: "packet" }>;

/** Keeps the connection to the agent until it is stopped. */
export class ZdsClient {
  readonly #parts: ZdsClientParts;
  readonly #log: LogScope;
  readonly #manager: WorkloadManager;
  #socket: AgentSocket | null = null;
  #next: Timer | null = null;
  #retry: Timer | null = null;
  #stopped = false;
  /** The numbers of consecutive failures. */
  #connectFailures = 0;
  #announceFailures = 0;
  #broken = 0;

  constructor(parts: ZdsClientParts) {
    const { scheduler, log, host, counters } = parts;
    this.#parts = parts;
    this.#log = log.scope("ztunnel::inpod::workloadmanager");
    this.#manager = new WorkloadManager(
      {
        acknowledge: (error) => this.#acknowledge(error),
        setReady: (ready) => this.#setReady(ready),
        scheduleRetry: () => this.#retry = scheduler.after(RETRY_DELAY, () => this.#manager.retry()),
        cancelRetry: () => this.#retry?.cancel(),
        onProtocolError: (text) => this.#protocolError(text),
      },
      // After an outcome the next message of the agent may be read.
      { serve: (pod, events) => host.serve(pod, withReadAfter(events, () => this.#read())) },
      counters,
      log,
    );
  }

  /** Pods by uid, for dumps and audits. */
  get pods(): readonly PodState[] {
    return this.#manager.pods;
  }

  /** Connects, and reconnects until `stop`. */
  start(): void {
    this.#connect();
  }

  /** Closes the connection. Pods stay served. Idempotent. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#log.as("ztunnel::inpod::protocol").info("workload proxy manager: drain requested");
    this.#next?.cancel();
    this.#retry?.cancel();
    if (this.#socket !== null) this.#log.info("process stream ended with eof");
    this.#socket?.close();
    this.#socket = null;
    this.#log.info("drain requested");
  }

  #connect(): void {
    const outcome = this.#parts.connect();
    if (!("receive" in outcome)) return this.#notConnected(outcome);
    this.#connectFailures = 0;
    this.#manager.connected();
    const failure = outcome.send(encodeHello());
    if (failure !== null) return this.#notAnnounced(outcome);
    this.#log.info("handling new stream");
    this.#socket = outcome;
    outcome.start({ onReadable: () => this.#read() });
  }

  #notConnected({ code, message }: Ending): void {
    const delay = connectDelay(++this.#connectFailures);
    this.#log.warn(
      `failed to connect to the Istio CNI node agent over ${quote(this.#parts.path)}, is the node agent healthy? ` +
        `details: ${code}: ${message}. retrying in ${durationText(delay)}`,
    );
    this.#connectAfter(delay);
  }

  #notAnnounced(socket: AgentSocket): void {
    socket.close();
    this.#manager.disconnected();
    const delay = announceDelay(++this.#announceFailures, this.#parts.random());
    this.#log.error(
      `node agent announcement failed (could not announce to node agent), retrying in ${durationText(delay)}`,
    );
    this.#connectAfter(delay);
  }

  #connectAfter(delay: number): void {
    this.#next = this.#parts.scheduler.after(delay, () => this.#connect());
  }

  /** Processes packets until there is none, or until one waits for its pod to start. */
  #read(): void {
    for (let i = 0; i < PACKETS_PER_TURN; i++) {
      if (this.#socket === null || this.#manager.busy) return;
      const reception = this.#socket.receive();
      switch (reception.kind) {
        case "nothing":
          return;
        case "end":
          return this.#ended(reception.ending);
        case "packet":
          this.#process(reception);
          break;
        default:
          reception satisfies never;
      }
    }
    this.#parts.scheduler.nextTurn({ runTurn: () => this.#read() });
  }

  #process(packet: Packet): void {
    const request = decodeRequest(packet);
    if ("error" in request) return this.#unreadable(request.error);
    this.#logReceived(request);
    if (request.kind !== "add") return this.#manager.receive(request, null);
    let namespace: PodNamespace;
    try {
      namespace = takeNamespace(packet.descriptors[0]!);
    } catch (error) {
      return this.#acknowledge(`failure to start proxy : ${error instanceof Error ? error.message : String(error)}`);
    }
    this.#manager.receive(request, namespace);
  }

  #logReceived(request: ZdsRequest): void {
    if (!this.#log.isEnabled(LEVEL.debug)) return;
    const { kind } = request, uid = "uid" in request ? request.uid : null;
    const workload = kind === "add" ? request.workload : null;
    this.#log.debug(`received message: ${kind}`, { uid, name: workload?.name, namespace: workload?.namespace });
  }

  #unreadable(error: string): void {
    this.#log.error(`failed to read message: ${error}`);
    this.#socket?.send(encodeAck(`failure to read message : ${error}`));
    this.#lost(`ReceiveMessageError(${quote(error)})`);
  }

  #acknowledge(error: string | null): void {
    if (this.#log.isEnabled(LEVEL.debug)) this.#log.debug("sending ack", { error });
    const failure = this.#socket?.send(encodeAck(error)) ?? null;
    if (failure !== null) this.#lost(`SendAckError(${quote(failure.message)})`);
  }

  #ended({ how, message }: Ending): void {
    if (how !== "fin") return this.#lost(`ReceiveMessageError(${quote(message)})`);
    this.#log.info("process stream ended with eof");
    this.#disconnected();
  }

  #lost(why: string): void {
    this.#log.warn(`process stream ended: ${why}`);
    this.#disconnected();
  }

  #disconnected(): void {
    this.#socket?.close();
    this.#socket = null;
    this.#manager.disconnected();
    const delay = brokenDelay(++this.#broken);
    if (delay === 0) this.#connect();
    else this.#connectAfter(delay);
  }

  #setReady(ready: boolean): void {
    if (ready) this.#announceFailures = this.#broken = 0;
    this.#parts.setReady(ready);
  }

  #protocolError(text: string): void {
    this.#socket?.send(encodeAck(`failure to process message : ProtocolError(${quote(text)})`));
    this.stop();
    this.#parts.onProtocolError(text);
  }
}

/** Wraps the events and calls `then` after those that report an outcome. */
function withReadAfter<E extends { onStarted(): void; onFailed(reason: string): void; onEnded(): void }>(
  events: E,
  then: () => void,
) {
  return {
    onStarted() {
      events.onStarted();
      then();
    },
    onFailed(reason: string) {
      events.onFailed(reason);
      then();
    },
    onEnded: () => events.onEnded(),
  };
}

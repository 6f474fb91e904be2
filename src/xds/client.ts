/** The xDS client: one stream to the control plane at any time, opened anew for ever (`docs/spec/xds-state.md` 2). */
import type { Config } from "../config/config.ts";
import { type Clock, type GrpcChannel, SYSTEM_CLOCK } from "../grpc/channel.ts";
import { Code, GrpcError } from "../grpc/status.ts";
import type { Freshness } from "../mesh/state/state.ts";
import type { Log, LogScope } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { DeltaProtocol } from "./delta_protocol.ts";
import { DeltaStream } from "./delta_stream.ts";
import { DEMAND_LIMITS, type DemandAnswer, type DemandLimits } from "./demands.ts";
import { describeNode, type Node } from "./node.ts";
import { FIRST_BACKOFF, judgeEnd, type StreamEnd } from "./reconnect.ts";
import { ADDRESS_TYPE, type ResourceSink } from "./resources.ts";
import { xdsConnector } from "./xds_channel.ts";

const METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
/** ms of a stream without a response after which the log says so. */
const SILENCE = 30_000;
const NO_CLAIMS = "the control plane refuses the list of what is held here as too long: from now on each stream asks " +
  "for everything (ISTIO_GPRC_MAXRECVMSGSIZE of istiod allows longer lists)";
/** Of a type URL that the server made up. */
const URL_SHOWN = 256;

export interface XdsClientOptions {
  /** `xds.address` is set. */
  readonly config: Pick<Config, "xds" | "node" | "token" | "tls" | "proxyMetadata">;
  readonly sink: ResourceSink;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Every type that is wanted whole has been answered and accepted. Called once. */
  readonly onReady: () => void;
  /**
   * `stale`: a stream ended or could not be opened, and we did not close it ourselves. `current`: the first answer
   * about addresses is applied. Called for each change; the initial state is current.
   */
  readonly onFreshness: (freshness: Freshness) => void;
  readonly clock?: Clock;
  /** For tests: the channel of the next attempt. */
  readonly connect?: () => GrpcChannel;
  readonly demandLimits?: DemandLimits;
}

export class XdsClient {
  readonly #options: XdsClientOptions;
  readonly #address: string;
  readonly #clock: Clock;
  readonly #connect: () => GrpcChannel;
  readonly #protocol: DeltaProtocol;
  readonly #node: Node;
  readonly #closed = new AbortController();
  #channel: GrpcChannel | null = null;
  #stream: DeltaStream | null = null;
  #attempt = 0;
  #ready = false;
  #freshness: Freshness = "current";
  #running: Promise<void> | null = null;
  #expiry: { cancel(): void } | null = null;
  #openedAt = 0;
  #refresh: { cancel(): void } | null = null;
  /** The stream was ended by us, to be opened at once. */
  #reopening = false;

  constructor(options: XdsClientOptions) {
    const { config } = options;
    if (config.xds.address === null) throw new TypeError("a client needs the address of a control plane");
    this.#options = options;
    this.#address = config.xds.address;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    const warn = (text: string) => this.#scope().warn(text);
    this.#connect = options.connect ?? xdsConnector(config, this.#clock, warn);
    this.#protocol = new DeltaProtocol(config.xds.onDemand, options.demandLimits);
    const { node, proxyMetadata } = config;
    this.#node = describeNode({ node, proxyMetadata, jsonMetadata: config.xds.jsonMetadata });
  }

  /** Begins to connect. Failures are logged, counted and tried again, for ever. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends the stream. Demands are told `refused`. Fulfilled when nothing of the client runs any more. Idempotent. */
  async close(): Promise<void> {
    this.#closed.abort();
    this.#expiry?.cancel();
    this.#protocol.close();
    this.#channel?.close();
    await this.#running;
  }

  /**
   * Asks for what is behind a name: `{network}/{ip}`, `{namespace}/{hostname}` or a uid. `onAnswer` is called once,
   * within the call where the answer is known already. Limits and expiry: `demands.ts`.
   */
  demand(name: string, onAnswer: (answer: DemandAnswer) => void): void {
    if (this.#closed.signal.aborted) return onAnswer("refused");
    const step = this.#protocol.demand(name, this.#clock.now(), onAnswer);
    this.#scheduleExpiry();
    switch (step) {
      case "nothing":
        return;
      case "ask":
        this.#scope().info(`received on demand request ${ADDRESS_TYPE}/${name}`);
        return this.#stream?.demand(name);
      case "reopen":
        return this.#reopen("to ask again for names");
      default:
        step satisfies never;
    }
  }

  #scope(): LogScope {
    return this.#options.log.scope("ztunnel::xds::client", { name: "xds", fields: { id: this.#attempt } });
  }

  #scheduleExpiry(): void {
    const next = this.#protocol.nextExpiry();
    if (next === null || this.#expiry !== null) return;
    this.#expiry = this.#clock.after(Math.max(0, next - this.#clock.now()), () => {
      this.#expiry = null;
      this.#protocol.expireDemands(this.#clock.now());
      this.#scheduleExpiry();
    });
  }

  /** So that what replaces something that has gone becomes known. */
  #refreshLater(): void {
    if (!this.#protocol.hasLost || this.#refresh !== null) return;
    const age = this.#clock.now() - this.#openedAt;
    const { refreshAfter } = this.#options.demandLimits ?? DEMAND_LIMITS;
    this.#refresh = this.#clock.after(Math.max(0, refreshAfter - age), () => {
      this.#refresh = null;
      this.#reopen("to hear what is there in place of what has gone");
    });
  }

  #reopen(why: string): void {
    if (this.#reopening || this.#stream === null) return;
    this.#reopening = true;
    this.#scope().info(`opening the stream anew, ${why}`);
    this.#channel?.close();
  }

  async #run(): Promise<void> {
    for (let backoff = FIRST_BACKOFF;;) {
      this.#attempt++;
      const end = await this.#runStream();
      if (this.#closed.signal.aborted) return;
      if (this.#reopening) {
        this.#reopening = false;
        continue;
      }
      this.#setFreshness("stale");
      const verdict = judgeEnd(end, backoff, this.#address);
      backoff = verdict.backoff;
      this.#options.metrics.cell("istio_xds_connection_terminations", verdict.reason).value++;
      this.#scope()[verdict.level](verdict.message);
      await this.#sleep(verdict.delay);
    }
  }

  async #runStream(): Promise<StreamEnd> {
    let answered = false;
    const scope = this.#scope();
    const channel = this.#channel = this.#connect();
    const silence = this.#clock.after(SILENCE, () => {
      if (this.#stream === null || answered) return;
      scope.warn(`connected to ${this.#address}, which has sent no response for ${SILENCE / 1000} s: is it ready?`);
    });
    const onResponse = (typeUrl: string, payloadBytes: number) => {
      if (!answered) scope.info("Stream established");
      answered = true;
      this.#count(typeUrl, payloadBytes);
    };
    try {
      const call = await channel.open(METHOD, {}, this.#closed.signal);
      this.#openedAt = this.#clock.now();
      this.#stream = new DeltaStream({
        call,
        protocol: this.#protocol,
        node: this.#node,
        sink: this.#options.sink,
        clock: this.#clock,
        log: scope,
        connection: this.#attempt,
        onResponse,
        onRejected: (type, count) => this.#countRejected(type, count),
        onAnswered: (type) => {
          // On demand, istiod may have no addresses to send, but it answers requests in order.
          if (type === ADDRESS_TYPE || this.#options.config.xds.onDemand) this.#setFreshness("current");
          this.#announceReadiness();
          this.#refreshLater();
        },
      });
      await this.#stream.run();
      return { error: null, answered };
    } catch (cause) {
      const error = toGrpcError(cause);
      if (!answered && isTooLong(error) && this.#protocol.forgoClaims()) scope.warn(NO_CLAIMS);
      return { error, answered };
    } finally {
      silence.cancel();
      this.#refresh?.cancel();
      this.#refresh = null;
      this.#stream = null;
      this.#protocol.closed();
      channel.close();
    }
  }

  #count(typeUrl: string, payloadBytes: number): void {
    const { metrics } = this.#options;
    const url = typeUrl.slice(0, URL_SHOWN);
    metrics.cell("istio_xds_message", url).value++;
    metrics.cell("istio_xds_message_bytes", url).value += payloadBytes;
  }

  #countRejected(url: string, count: number): void {
    this.#options.metrics.cell("istio_xds_rejected_resources", url).value += count;
  }

  #setFreshness(freshness: Freshness): void {
    if (freshness === this.#freshness) return;
    this.#freshness = freshness;
    this.#options.onFreshness(freshness);
  }

  #announceReadiness(): void {
    if (this.#ready || !this.#protocol.ready) return;
    this.#ready = true;
    this.#options.onReady();
  }

  #sleep(delay: number): Promise<void> {
    const { signal } = this.#closed;
    return new Promise((resolve) => {
      const finish = () => {
        timer.cancel();
        signal.removeEventListener("abort", finish);
        resolve();
      };
      const timer = this.#clock.after(delay, finish);
      signal.addEventListener("abort", finish, { once: true });
    });
  }
}

/** Every gRPC library says it in these words. Rate limits have the same code. */
function isTooLong({ code, message }: GrpcError): boolean {
  return code === Code.ResourceExhausted && /message larger than max/i.test(message);
}

/** Whatever else fails is ours, and no reason to stop for ever. */
function toGrpcError(error: unknown): GrpcError {
  if (error instanceof GrpcError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new GrpcError(Code.Internal, `applying resources failed: ${text}`, "setup");
}

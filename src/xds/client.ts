/** The xDS client: keeps one stream to the control plane and reopens it until it is closed (`docs/spec/xds-state.md` 2). */
import type { Config } from "../config/config.ts";
import type { GrpcChannel } from "../grpc/channel.ts";
import { Code, GrpcError } from "../grpc/status.ts";
import type { Freshness } from "../mesh/state/state.ts";
import { SYSTEM_CLOCK, type Timer, type WallClock } from "../net/clock.ts";
import type { Log, LogScope } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { ClientHealth, type XdsStatus } from "./client_health.ts";
import { DeltaProtocol } from "./delta_protocol.ts";
import { DeltaStream } from "./delta_stream.ts";
import { LOOKUP_LIMITS, type LookupLimits, type LookupResult } from "./lookups.ts";
import { describeNode, type Node } from "./node.ts";
import { FIRST_BACKOFF, planReconnect, type StreamEnd } from "./reconnect.ts";
import { RepeatedFailures } from "./repeated_failures.ts";
import { ADDRESS_TYPE, type Rejection, type ResourceSink } from "./resources.ts";
import { xdsConnector } from "./xds_channel.ts";

const METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
/** ms without a response on a stream after which a warning is logged. */
const SILENCE = 30_000;
const LIST_TOO_LONG = "the control plane refuses the list of known resources as too long: from now on each stream " +
  "requests all resources (ISTIO_GPRC_MAXRECVMSGSIZE of istiod allows longer lists)";
/** The length to which type URLs from the server are shortened in metric labels. */
const URL_SHOWN = 256;

/** What a client needs. */
export interface XdsClientOptions {
  /** `xds.address` must be set. */
  readonly config: Pick<Config, "xds" | "node" | "token" | "tls" | "proxyMetadata">;
  readonly sink: ResourceSink;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Called once, when each type has had an accepted response; on demand only policies count. */
  readonly onReady: () => void;
  /**
   * Called for each change; the initial state is `current`. `stale`: a stream failed or could not be opened. `current`:
   * the first response about addresses on a new stream was applied.
   */
  readonly onFreshness: (freshness: Freshness) => void;
  readonly clock?: WallClock;
  /** For tests: the channel of the next attempt. */
  readonly connect?: () => GrpcChannel;
  readonly lookupLimits?: LookupLimits;
}

/** Connects to the control plane, passes resources to the sink and performs lookups on demand. */
export class XdsClient {
  readonly #options: XdsClientOptions;
  readonly #address: string;
  readonly #clock: WallClock;
  readonly #connect: () => GrpcChannel;
  readonly #protocol: DeltaProtocol;
  readonly #node: Node;
  readonly #health: ClientHealth;
  readonly #closed = new AbortController();
  #channel: GrpcChannel | null = null;
  #stream: DeltaStream | null = null;
  #attempt = 0;
  #ready = false;
  #freshness: Freshness = "current";
  #running: Promise<void> | null = null;
  #expiry: Timer | null = null;
  #openedAt = 0;
  #refresh: Timer | null = null;
  /** The client closed the stream itself, to reopen it at once. */
  #reopening = false;

  constructor(options: XdsClientOptions) {
    const { config } = options;
    if (config.xds.address === null) throw new TypeError("a client needs the address of a control plane");
    this.#options = options;
    this.#address = config.xds.address;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    const warn = (text: string) => this.#scope().warn(text);
    this.#health = new ClientHealth(this.#address, () => this.#clock.now());
    this.#connect = options.connect ?? xdsConnector(config, this.#clock, warn);
    this.#protocol = new DeltaProtocol(config.xds.onDemand, options.lookupLimits);
    const { node, proxyMetadata } = config;
    this.#node = describeNode({ node, proxyMetadata, jsonMetadata: config.xds.jsonMetadata });
  }

  /** The state of the connection and what has arrived. */
  get status(): XdsStatus {
    return this.#health.status;
  }

  /** Starts to connect. Failures are logged, counted and retried until `close`. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Closes the stream and ends pending lookups with `refused`. Resolves when everything has stopped. Idempotent. */
  async close(): Promise<void> {
    this.#closed.abort();
    this.#expiry?.cancel();
    this.#protocol.close();
    this.#channel?.close();
    await this.#running;
  }

  /**
   * Looks up a name: `{network}/{ip}`, `{namespace}/{hostname}` or a uid. `onResult` is called once, before this method
   * returns where the result is known already. Limits and timeout: `lookups.ts`.
   */
  lookUp(name: string, onResult: (result: LookupResult) => void): void {
    if (this.#closed.signal.aborted) return onResult("refused");
    const step = this.#protocol.lookUp(name, this.#clock.elapsed(), onResult);
    this.#scheduleExpiry();
    switch (step) {
      case "nothing":
        return;
      case "request":
        this.#scope().info(`received on demand request ${ADDRESS_TYPE}/${name}`);
        return this.#stream?.requestName(name);
      case "reopen":
        return this.#reopen("to request names again");
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
    this.#expiry = this.#clock.after(Math.max(0, next - this.#clock.elapsed()), () => {
      this.#expiry = null;
      this.#protocol.expireLookups(this.#clock.elapsed());
      this.#scheduleExpiry();
    });
  }

  /** Reopens an outdated stream at a certain age, to receive replacements of removed resources. */
  #scheduleRefresh(): void {
    if (!this.#protocol.isOutdated || this.#refresh !== null) return;
    const age = this.#clock.elapsed() - this.#openedAt;
    const { refreshAfter } = this.#options.lookupLimits ?? LOOKUP_LIMITS;
    this.#refresh = this.#clock.after(Math.max(0, refreshAfter - age), () => {
      this.#refresh = null;
      this.#reopen("to receive replacements of removed resources");
    });
  }

  #reopen(why: string): void {
    if (this.#reopening || this.#stream === null) return;
    this.#reopening = true;
    this.#scope().info(`reopening the stream ${why}`);
    this.#channel?.close();
  }

  async #run(): Promise<void> {
    const failures = new RepeatedFailures();
    for (let backoff = FIRST_BACKOFF;;) {
      this.#attempt++;
      this.#health.connecting();
      const end = await this.#runStream();
      if (this.#closed.signal.aborted) return;
      if (this.#reopening) {
        this.#reopening = false;
        continue;
      }
      this.#setFreshness("stale");
      const plan = planReconnect(end, backoff, this.#address);
      backoff = plan.backoff;
      this.#options.metrics.cell("istio_xds_connection_terminations", plan.reason).value++;
      this.#health.failed(plan.message);
      const line = failures.next(plan);
      this.#scope()[line.level](line.message);
      await this.#sleep(plan.delay);
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
      this.#openedAt = this.#clock.elapsed();
      this.#health.connected();
      this.#stream = new DeltaStream({
        call,
        protocol: this.#protocol,
        node: this.#node,
        sink: this.#options.sink,
        clock: this.#clock,
        log: scope,
        connection: this.#attempt,
        onResponse,
        onRejected: (type, rejections) => this.#countRejected(type, rejections),
        onApplied: (type) => {
          // On demand istiod may have no addresses to send, but it responds to requests in order.
          const hasNone = this.#options.config.xds.onDemand && this.#stream?.isApplyingAddresses === false;
          if (type === ADDRESS_TYPE || hasNone) this.#setFreshness("current");
          this.#announceReadiness();
          this.#scheduleRefresh();
        },
      });
      await this.#stream.run();
      return { error: null, answered };
    } catch (cause) {
      const error = toGrpcError(cause);
      if (!answered && isTooLong(error) && this.#protocol.omitVersions()) scope.warn(LIST_TOO_LONG);
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
    this.#health.responded(url, payloadBytes);
  }

  #countRejected(url: string, rejections: readonly Rejection[]): void {
    this.#options.metrics.cell("istio_xds_rejected_resources", url).value += rejections.length;
    this.#health.rejected(url, rejections);
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

/** All gRPC libraries use this text. The code alone does not suffice, as rate limits have it too. */
function isTooLong({ code, message }: GrpcError): boolean {
  return code === Code.ResourceExhausted && /message larger than max/i.test(message);
}

/** Other errors are internal. They are reported like errors of the stream, so that the client continues. */
function toGrpcError(error: unknown): GrpcError {
  if (error instanceof GrpcError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new GrpcError(Code.Internal, `applying resources failed: ${text}`, "setup");
}

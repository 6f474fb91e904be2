/** The proxy's xDS client with a mesh, in the process of the test, for tests with a scripted control plane. */
import assert from "node:assert/strict";
import { parseConfig } from "../src/config/parse_config.ts";
import { ROOT_PEM } from "../src/grpc/testkit/server.ts";
import type { MeshChange } from "../src/mesh/model/changes.ts";
import type { PolicyKey } from "../src/mesh/model/model.ts";
import { MeshState } from "../src/mesh/state/state.ts";
import type { WallClock } from "../src/net/clock.ts";
import { Metrics } from "../src/telemetry/metrics.ts";
import { testLog } from "../src/telemetry/testkit/log.ts";
import { XdsClient, type XdsClientOptions } from "../src/xds/client.ts";
import { ResourceDecoder } from "../src/xds/decode.ts";
import type { Rejection, ResourceBatch, ResourceSink } from "../src/xds/resources.ts";
import { AUTHORIZATION_TYPE } from "../src/xds/resources.ts";
import { eventually } from "../lab/eventually.ts";

/** Node id of a client without `POD_NAME` and similar variables. */
export const NODE_ID = "ztunnel~1.1.1.1~.~.svc.cluster.local";

/** Applies resources to one mesh, as each worker does. */
class MeshSink implements ResourceSink {
  readonly mesh = new MeshState();
  readonly #decoder = new ResourceDecoder(1024);
  /** Number of batches applied so far. */
  batches = 0;

  apply(batch: ResourceBatch): Promise<readonly Rejection[]> {
    const changes: MeshChange[] = [];
    const unacceptable: Rejection[] = [];
    const malformed: Rejection[] = [];
    for (const { name, body } of batch.changed) {
      const decoded = this.#decoder.decode(batch.type, name, body);
      if (decoded.ok) changes.push(decoded.change);
      else (decoded.why === "malformed" ? malformed : unacceptable).push({ name, reason: decoded.reason });
    }
    for (const name of batch.removed) {
      changes.push(
        batch.type === AUTHORIZATION_TYPE
          ? { kind: "remove-policy", key: name as PolicyKey }
          : { kind: "remove-address", name },
      );
    }
    this.mesh.apply(changes);
    this.batches++;
    return Promise.resolve([...unacceptable, ...malformed]);
  }
}

/** What replaces the defaults of a {@link TestClient}. */
export interface TestClientOptions extends Partial<Pick<XdsClientOptions, "connect" | "lookupLimits" | "sink">> {
  /** Environment variables besides `XDS_ADDRESS` and `XDS_ROOT_CA`. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly clock?: WallClock;
}

/** The client, started at once, with its log and metrics. */
export class TestClient implements AsyncDisposable {
  readonly client: XdsClient;
  readonly metrics = new Metrics();
  readonly #log = testLog({ filter: "debug" });
  readonly #sink = new MeshSink();
  /** How often the client has called `onReady`. */
  ready = 0;

  constructor(url: string, options: TestClientOptions = {}) {
    const environment = { XDS_ADDRESS: url, XDS_ROOT_CA: ROOT_PEM, ...options.environment };
    const files = {
      read: (path: string) => path === "/etc/resolv.conf" ? "nameserver 127.0.0.1" : null,
      exists: (path: string) => path.startsWith("/"),
    };
    this.client = new XdsClient({
      config: parseConfig(environment, files, 2),
      sink: this.#sink,
      metrics: this.metrics,
      log: this.#log.log,
      onReady: () => this.ready++,
      onFreshness: (freshness) => this.mesh.setFreshness(freshness),
      ...options,
    });
    this.client.start();
  }

  get mesh(): MeshState {
    return this.#sink.mesh;
  }

  /** Number of batches applied so far. */
  get batches(): number {
    return this.#sink.batches;
  }

  /** All log lines as `level scope message fields`, without times and ports. */
  get log(): string[] {
    return this.#log.lines().map((line) =>
      line.split("\t").slice(1).join(" ").trim().replaceAll(/(localhost|127\.0\.0\.1|\[::1\]):\d+/g, "$1:PORT")
    );
  }

  /** Log lines of level warn and error. */
  get warnings(): string[] {
    return this.log.filter((line) => /^(warn|error) /.test(line));
  }

  /** The first log line, past or future, that matches. */
  logged(pattern: RegExp): Promise<string> {
    return eventually(
      `a log line like ${pattern}`,
      () => this.log.find((line) => pattern.test(line)),
      () => `in\n${this.log.join("\n")}`,
    );
  }

  /** Number of ended streams by reason. */
  get terminations(): Record<string, number> {
    return this.#counts("istio_xds_connection_terminations");
  }

  /** Values of a metric by its label. */
  messages(
    family: "istio_xds_message" | "istio_xds_message_bytes" | "istio_xds_rejected_resources",
  ): Record<string, number> {
    return this.#counts(family);
  }

  #counts(family: string): Record<string, number> {
    const cells = this.metrics.snapshot().cells.filter((cell) => cell.family === family);
    return Object.fromEntries(cells.map(({ labels, value }) => [/"(.*)"/.exec(labels)![1]!, value]));
  }

  async close(): Promise<void> {
    await this.client.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    assert.ok(this.ready <= 1, "onReady was called more than once");
  }
}

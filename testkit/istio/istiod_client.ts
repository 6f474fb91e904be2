/** The proxy's xDS client with a real istiod, and the mesh from its resources. */
import { parseConfig } from "../../src/config/parse_config.ts";
import type { MeshChange } from "../../src/mesh/model/changes.ts";
import { policyKey } from "../../src/mesh/model/model.ts";
import { MeshState } from "../../src/mesh/state/state.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { testLog } from "../../src/telemetry/testkit/log.ts";
import { XdsClient } from "../../src/xds/client.ts";
import { ResourceDecoder } from "../../src/xds/decode.ts";
import { LOOKUP_LIMITS, type LookupLimits, type LookupResult } from "../../src/xds/lookups.ts";
import {
  AUTHORIZATION_TYPE,
  type RawResource,
  type Rejection,
  type ResourceBatch,
  type ResourceType,
} from "../../src/xds/resources.ts";
import { eventually } from "../../lab/eventually.ts";

/** The names of the resources of a response that was applied. */
interface AppliedBatch {
  readonly type: ResourceType;
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

/** Settings of an {@link IstiodClient}. */
interface IstiodClientOptions {
  /** The proxy's environment variables. */
  readonly settings: Readonly<Record<string, string>>;
  /** Returns a reason to reject the resource of this name; null: accept it. Default: accept all. */
  readonly refuse?: (name: string) => string | null;
  readonly lookupLimits?: LookupLimits;
}

/** An xDS client, started at once, and its mesh. */
export class IstiodClient implements AsyncDisposable {
  readonly state = new MeshState("node-1");
  /** All responses applied so far. */
  readonly batches: AppliedBatch[] = [];
  readonly metrics = new Metrics();
  readonly #log = testLog({ filter: "debug" });
  readonly #decoder = new ResourceDecoder(64);
  readonly #refuse: (name: string) => string | null;
  readonly #client: XdsClient;
  #ready = false;

  constructor({ settings, refuse = () => null, lookupLimits = LOOKUP_LIMITS }: IstiodClientOptions) {
    this.#refuse = refuse;
    const files = { read: readText, exists: (path: string) => readText(path) !== null };
    this.#client = new XdsClient({
      config: parseConfig({ PROXY_MODE: "shared", NODE_NAME: "node-1", ...settings }, files, 1),
      sink: { apply: (batch) => Promise.resolve(this.#apply(batch)) },
      metrics: this.metrics,
      log: this.#log.log,
      onReady: () => this.#ready = true,
      onFreshness: (freshness) => this.state.setFreshness(freshness),
      lookupLimits,
    });
    this.#client.start();
  }

  /** All log lines. */
  get lines(): string[] {
    return this.#log.lines();
  }

  /** Waits until responses for all types have been applied. */
  async ready(): Promise<void> {
    await this.until("readiness", () => this.#ready);
  }

  /** Waits until `holds` returns true. */
  async until(what: string, holds: (state: MeshState) => boolean): Promise<void> {
    await eventually(what, () => holds(this.state), () => `\n${this.lines.slice(-20).join("\n")}`);
  }

  /** The first log line, past or future, that matches. */
  line(pattern: RegExp): Promise<string> {
    return eventually(`${pattern}`, () => this.lines.find((line) => pattern.test(line)), () => this.lines.join("\n"));
  }

  /** Looks up a resource on demand. */
  lookUp(name: string): Promise<LookupResult> {
    return new Promise((resolve) => this.#client.lookUp(name, resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }

  #apply(batch: ResourceBatch): Rejection[] {
    const rejected: Rejection[] = [];
    const changes: MeshChange[] = [];
    const changed: string[] = [];
    for (const resource of batch.changed) {
      const change = this.#changeOf(batch.type, resource);
      if (typeof change === "string") rejected.push({ name: resource.name, reason: change });
      else changes.push(change);
      changed.push(resource.name);
    }
    for (const name of batch.removed) {
      const isPolicy = batch.type === AUTHORIZATION_TYPE;
      changes.push(isPolicy ? { kind: "remove-policy", key: policyKey(name) } : { kind: "remove-address", name });
    }
    this.state.apply(changes);
    this.batches.push({ type: batch.type, changed: changed.sort(), removed: [...batch.removed].sort() });
    return rejected;
  }

  /** The change to the mesh, or the reason for rejecting the resource. */
  #changeOf(type: ResourceType, { name, body }: RawResource): MeshChange | string {
    const refusal = this.#refuse(name);
    if (refusal !== null) return refusal;
    const decoded = this.#decoder.decode(type, name, body);
    return decoded.ok ? decoded.change : decoded.reason;
  }
}

function readText(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return null;
  }
}

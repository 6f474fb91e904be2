/**
 * A scripted SPIRE agent: the Delegated Identity API on a Unix socket, with registration entries, and with the responses
 * and the order of messages of a real one (`docs/spec/real-peers-spire.md` 5 and 6).
 */
import * as grpc from "@grpc/grpc-js";
import { spire } from "../../proto/gen/spire.js";
import { type SpireCa, spireCa } from "./ca.ts";
import { method, refusal, serveUnix, type UnixServer } from "./grpc.ts";

const api = spire.api.agent.delegatedidentity.v1;
type SvidRequest = spire.api.agent.delegatedidentity.v1.SubscribeToX509SVIDsRequest;
type Stream = grpc.ServerWritableStream<unknown, unknown>;

const SERVICE = "spire.api.agent.delegatedidentity.v1.DelegatedIdentity";
const METHODS = {
  SubscribeToX509SVIDs: method(api.SubscribeToX509SVIDsRequest, api.SubscribeToX509SVIDsResponse, true),
  SubscribeToX509Bundles: method(api.SubscribeToX509BundlesRequest, api.SubscribeToX509BundlesResponse, true),
};

/** A registration entry. */
interface Entry {
  /** `/ns/default/sa/app` */
  readonly path: string;
  /** `k8s:ns:default`; all of them must be among those of the workload. */
  readonly selectors: readonly string[];
  readonly federatesWith?: readonly string[];
  /** ms; default an hour. */
  readonly lifetime?: number;
}

/** A stream of SVIDs. */
interface Subscription {
  readonly request: SvidRequest;
  /** True after either side has ended it. */
  ended: boolean;
}

/** An agent that the test controls. */
export class ScriptedAgent implements AsyncDisposable {
  readonly ca: SpireCa;
  readonly path: string;
  /** The selectors of processes, by pid. */
  readonly processes = new Map<number, readonly string[]>();
  readonly entries: Entry[] = [];
  readonly bundles = new Map<string, Uint8Array>();
  /** Every subscription to SVIDs, in order. */
  readonly subscriptions: Subscription[] = [];
  /** If not null, callers are refused with this text. */
  refusal: string | null = null;
  /** The duration of an attestation in ms. */
  attestation = 0;
  /** If not null, attestations do not end before it resolves. */
  gate: Promise<void> | null = null;
  /** The number of running attestations, and the highest number so far. */
  attesting = 0;
  mostAttesting = 0;
  /** Sends nothing on streams of bundles. */
  muteBundles = false;
  /** Sends nothing on new streams of SVIDs until the next push. */
  muteSvids = false;
  /** The keys of all issued SVIDs. */
  readonly keys: Uint8Array[] = [];
  readonly #svids = new Map<Stream, Subscription>();
  readonly #bundleStreams = new Set<Stream>();
  /** The SVID of each entry, until it is rotated. */
  readonly #issued = new Map<Entry, object>();
  #server: UnixServer | null = null;

  private constructor(path: string, ca: SpireCa) {
    this.path = path;
    this.ca = ca;
    this.bundles.set(`spiffe://${ca.trustDomain}`, ca.root.certificate);
  }

  /** Starts an agent on the socket `path`. */
  static async start(path: string, trustDomain = "example.org"): Promise<ScriptedAgent> {
    const agent = new ScriptedAgent(path, spireCa(trustDomain));
    await agent.start();
    return agent;
  }

  /** Starts again after {@link stop}, with new SVIDs, as the real agent does not store them. */
  async start(): Promise<void> {
    this.#issued.clear();
    this.#server = await serveUnix(this.path, {
      [SERVICE]: {
        methods: METHODS,
        handlers: {
          SubscribeToX509SVIDs: (call) => void this.#subscribe(call),
          SubscribeToX509Bundles: (call) => this.#subscribeBundles(call),
        },
      },
    });
  }

  /** Closes the socket and all streams. */
  async stop(): Promise<void> {
    await this.#server?.stop();
    this.#server = null;
    for (const subscription of this.#svids.values()) subscription.ended = true;
    this.#svids.clear();
    this.#bundleStreams.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** The number of open streams of SVIDs. */
  get openStreams(): number {
    return this.#svids.size;
  }

  /** Adds an entry for namespace and service account. */
  addAccount(namespace: string, account: string, options: Partial<Entry> = {}): Entry {
    const selectors = [`k8s:ns:${namespace}`, `k8s:sa:${account}`];
    return this.add({ path: `/ns/${namespace}/sa/${account}`, selectors, ...options });
  }

  /** Adds an entry; sends the old list first, then the new one (observed.md O21). */
  add(entry: Entry): Entry {
    this.push();
    this.entries.push(entry);
    this.push();
    return entry;
  }

  /** Deletes an entry. */
  delete(entry: Entry): void {
    this.entries.splice(this.entries.indexOf(entry), 1);
    this.push();
  }

  /** Issues new certificates for all entries. */
  rotate(): void {
    this.#issued.clear();
    this.push();
  }

  /** Sends the bundles; the SVID streams repeat their lists. */
  pushBundles(): void {
    for (const stream of this.#bundleStreams) this.#sendBundles(stream);
    this.push();
  }

  /** Sends the current list on every stream. */
  push(): void {
    for (const [stream, { request }] of this.#svids) this.#send(stream, request);
  }

  /** Sends a message on every stream. */
  pushMessage(message: object): void {
    for (const stream of this.#svids.keys()) stream.write(message);
  }

  async #subscribe(call: Stream): Promise<void> {
    const request = call.request as SvidRequest;
    const subscription: Subscription = { request, ended: false };
    this.subscriptions.push(subscription);
    call.on("cancelled", () => {
      subscription.ended = true;
      this.#svids.delete(call);
    });
    this.mostAttesting = Math.max(this.mostAttesting, ++this.attesting);
    if (this.attestation > 0) await new Promise((resolve) => setTimeout(resolve, this.attestation));
    await this.gate;
    this.attesting--;
    const refused = this.#refuse(request);
    if (refused !== null) return void call.emit("error", refused);
    if (call.cancelled) return;
    this.#svids.set(call, subscription);
    if (!this.muteSvids) this.#send(call, request);
  }

  #refuse({ pid, selectors }: SvidRequest) {
    const denied = this.#refuseCaller();
    if (denied !== null) return denied;
    if ((pid !== 0) === (selectors.length > 0)) {
      return refusal(grpc.status.INVALID_ARGUMENT, "must provide either selectors or non-zero PID, but not both");
    }
    if (selectors.some(({ type, value }) => type === "" || value === "" || type.includes(":"))) {
      return refusal(grpc.status.INVALID_ARGUMENT, "could not parse provided selectors");
    }
    return null;
  }

  #refuseCaller() {
    return this.refusal === null ? null : refusal(grpc.status.PERMISSION_DENIED, this.refusal);
  }

  #send(stream: Stream, { pid, selectors }: SvidRequest): void {
    const has = new Set(
      pid === 0 ? selectors.map(({ type, value }) => `${type}:${value}`) : this.processes.get(pid) ?? [],
    );
    const matching = this.entries.filter((entry) => entry.selectors.every((selector) => has.has(selector)));
    const federatesWith = [...new Set(matching.flatMap((entry) => entry.federatesWith ?? []))];
    stream.write({ x509Svids: matching.map((entry) => this.#svid(entry)), federatesWith });
  }

  #svid(entry: Entry): object {
    const known = this.#issued.get(entry);
    if (known !== undefined) return known;
    const { path, lifetime = 3600_000 } = entry;
    const now = Date.now();
    const { chain, key } = this.ca.issue(path, { now, lifetime });
    this.keys.push(key);
    const id = { trustDomain: this.ca.trustDomain, path };
    const expiresAt = Math.floor((now + lifetime) / 1000);
    const svid = { x509Svid: { certChain: chain, id, expiresAt }, x509SvidKey: key };
    this.#issued.set(entry, svid);
    return svid;
  }

  #subscribeBundles(call: Stream): void {
    const denied = this.#refuseCaller();
    if (denied !== null) return void call.emit("error", denied);
    this.#bundleStreams.add(call);
    call.on("cancelled", () => this.#bundleStreams.delete(call));
    if (!this.muteBundles) this.#sendBundles(call);
  }

  #sendBundles(stream: Stream): void {
    stream.write({ caCertificates: Object.fromEntries(this.bundles) });
  }
}

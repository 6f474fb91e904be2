/**
 * A scripted broker endpoint and Workload API of a SPIRE agent: mutual TLS on a Unix socket, with the responses of a real
 * one (`docs/spec/real-peers-spire.md` 9), also for Kubernetes objects, for which the real one needs a cluster.
 */
import * as grpc from "@grpc/grpc-js";
import { Buffer } from "node:buffer";
import { spiffe } from "../../proto/gen/broker.js";
import { X509SVIDRequest, X509SVIDResponse } from "../../proto/gen/workload_api.js";
import type { RawSvid } from "../../src/authorities/spire/svid.ts";
import { encodePem } from "../../src/identity/pem.ts";
import { concatenated, type SpireCa, spireCa } from "./ca.ts";
import { method, refusal, serveUnix, type UnixServer } from "./grpc.ts";

const api = spiffe.broker;
type Stream = grpc.ServerWritableStream<unknown, unknown>;

const BROKER = {
  SubscribeToX509SVID: method(api.SubscribeToX509SVIDRequest, api.SubscribeToX509SVIDResponse, true),
};
const WORKLOAD = { FetchX509SVID: method(X509SVIDRequest, X509SVIDResponse, true) };

/** Formats the reference of a request: `pid 11`, `pods.core default/app uid-1`. */
function referenceText(reference: spiffe.broker.WorkloadReference | null): string | null {
  const any = reference?.reference ?? null;
  switch (any?.type_url) {
    case undefined:
      return null;
    case "type.googleapis.com/spiffe.broker.WorkloadPIDReference":
      return `pid ${api.WorkloadPIDReference.decode(any!.value).pid}`;
    case "type.googleapis.com/spiffe.broker.KubernetesObjectReference": {
      const { type, key, uid } = api.KubernetesObjectReference.decode(any!.value);
      return `${type?.plural}.${type?.group} ${key?.namespace}/${key?.name} ${uid}`;
    }
    default:
      return `unknown ${any!.type_url}`;
  }
}

/** A broker that the test controls. */
export class ScriptedBroker implements AsyncDisposable {
  readonly ca: SpireCa;
  /** The SVIDs by reference; other references get empty lists. */
  readonly svids = new Map<string, readonly RawSvid[]>();
  federated: Record<string, Uint8Array> = {};
  /** The references of all requests, in order. */
  readonly references: string[] = [];
  /** The SPIFFE ids of callers, and the serials of their certificates. */
  readonly callers: string[] = [];
  readonly callerSerials: string[] = [];
  refusal: { code: grpc.status; details: string } | null = null;
  /** The proxy's own SVIDs. */
  own: RawSvid[] = [];
  readonly #streams = new Map<Stream, string>();
  readonly #ownStreams = new Set<Stream>();
  #servers: UnixServer[] = [];
  readonly #serverPath: string;

  private constructor(readonly folder: string, serverPath: string) {
    this.#serverPath = serverPath;
    this.ca = spireCa("example.org");
  }

  /** The socket of the Broker API. */
  get brokerPath(): string {
    return `${this.folder}/broker.sock`;
  }

  /** The socket of the Workload API. */
  get workloadPath(): string {
    return `${this.folder}/agent.sock`;
  }

  /** Starts a broker. `ownPath`, `serverPath`: paths of the SPIFFE ids of the proxy and of the broker. */
  static async start(
    folder: string,
    ownPath: string,
    serverPath = "/spire/agent/join_token/t",
  ): Promise<ScriptedBroker> {
    const broker = new ScriptedBroker(folder, serverPath);
    broker.own = [broker.ca.issue("/other"), broker.ca.issue(ownPath)];
    await broker.start();
    return broker;
  }

  /** Opens both sockets. */
  async start(): Promise<void> {
    const { chain, key } = this.ca.issue(this.#serverPath);
    const credentials = grpc.ServerCredentials.createSsl(
      pem("CERTIFICATE", this.ca.root.certificate),
      [{ cert_chain: pem("CERTIFICATE", ...chain), private_key: pem("PRIVATE KEY", key) }],
      true,
    );
    this.#servers = [
      await serveUnix(this.brokerPath, {
        "spiffe.broker.API": { methods: BROKER, handlers: { SubscribeToX509SVID: (call) => this.#subscribe(call) } },
      }, credentials),
      await serveUnix(this.workloadPath, {
        SpiffeWorkloadAPI: { methods: WORKLOAD, handlers: { FetchX509SVID: (call) => this.#fetchOwn(call) } },
      }),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) await server.stop();
  }

  /** Sends the current SVIDs on every stream. */
  push(): void {
    for (const [stream, reference] of this.#streams) this.#send(stream, reference);
  }

  /** Ends every stream with an error. */
  failAll(code: grpc.status, details: string): void {
    for (const stream of this.#streams.keys()) stream.emit("error", refusal(code, details));
    this.#streams.clear();
  }

  /** Sends a message on every stream. */
  pushMessage(message: object): void {
    for (const stream of this.#streams.keys()) stream.write(message);
  }

  /** Issues a new SVID for the proxy itself. */
  renewOwn(ownPath: string): void {
    this.own = [this.ca.issue(ownPath)];
    for (const stream of this.#ownStreams) this.#sendOwn(stream);
  }

  /** Returns a message with these SVIDs. */
  message(svids: readonly RawSvid[]): object {
    return {
      svids: svids.map(({ id, chain, key }) => ({
        spiffeId: id,
        x509Svid: concatenated(...chain),
        x509SvidKey: key,
        bundle: this.ca.root.certificate,
      })),
      federatedBundles: this.federated,
    };
  }

  #subscribe(call: Stream): void {
    const request = call.request as spiffe.broker.SubscribeToX509SVIDRequest;
    const refuse = (code: grpc.status, details: string) => void call.emit("error", refusal(code, details));
    if (call.metadata.get("broker.spiffe.io")[0] !== "true") {
      return refuse(grpc.status.INVALID_ARGUMENT, "security header missing from request");
    }
    const reference = referenceText(request.reference);
    if (reference === null) return refuse(grpc.status.INVALID_ARGUMENT, "workload reference must be provided");
    this.references.push(reference);
    if (this.refusal !== null) return refuse(this.refusal.code, this.refusal.details);
    const peer = call.getAuthContext().sslPeerCertificate;
    this.callers.push(String(Reflect.get(peer ?? {}, "subjectaltname")));
    this.callerSerials.push(String(Reflect.get(peer ?? {}, "serialNumber")));
    this.#streams.set(call, reference);
    call.on("cancelled", () => this.#streams.delete(call));
    this.#send(call, reference);
  }

  #send(stream: Stream, reference: string): void {
    stream.write(this.message(this.svids.get(reference) ?? []));
  }

  #fetchOwn(call: Stream): void {
    if (call.metadata.get("workload.spiffe.io")[0] !== "true") {
      return void call.emit("error", refusal(grpc.status.INVALID_ARGUMENT, "security header missing from request"));
    }
    this.#ownStreams.add(call);
    call.on("cancelled", () => this.#ownStreams.delete(call));
    this.#sendOwn(call);
  }

  #sendOwn(stream: Stream): void {
    stream.write(this.message(this.own));
  }
}

function pem(label: string, ...ders: readonly Uint8Array[]): Buffer {
  return Buffer.from(ders.map((der) => encodePem(label, der)).join(""));
}

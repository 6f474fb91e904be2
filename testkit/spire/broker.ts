/**
 * A SPIRE agent's broker endpoint and Workload API, scripted: mutual TLS on a Unix socket, with the answers of the real
 * one (`docs/spec/real-peers-spire.md` 9), and Kubernetes objects, which that needs a cluster for.
 */
import * as grpc from "@grpc/grpc-js";
import { Buffer } from "node:buffer";
import { spiffe } from "../../proto/gen/broker.js";
import { X509SVIDRequest, X509SVIDResponse } from "../../proto/gen/workload_api.js";
import type { RawSvid } from "../../src/authorities/spire/svid.ts";
import { encodePem } from "../../src/identity/pem.ts";
import { backToBack, type SpireCa, spireCa } from "./ca.ts";
import { method, refusal, serveUnix, type UnixServer } from "./grpc.ts";

const api = spiffe.broker;
type Stream = grpc.ServerWritableStream<unknown, unknown>;

const BROKER = {
  SubscribeToX509SVID: method(api.SubscribeToX509SVIDRequest, api.SubscribeToX509SVIDResponse, true),
};
const WORKLOAD = { FetchX509SVID: method(X509SVIDRequest, X509SVIDResponse, true) };

/** What a request referred to, as one text: `pid 11`, `pods.core default/app uid-1`. */
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

export class ScriptedBroker implements AsyncDisposable {
  readonly ca: SpireCa;
  /** What each reference gets; the others get empty lists. */
  readonly svids = new Map<string, readonly RawSvid[]>();
  federated: Record<string, Uint8Array> = {};
  /** References, in order. */
  readonly asked: string[] = [];
  /** SPIFFE ids of those who asked, and the serials of their certificates. */
  readonly callers: string[] = [];
  readonly callerSerials: string[] = [];
  refusal: { code: grpc.status; details: string } | null = null;
  /** The proxy's own SVIDs. */
  own: RawSvid[] = [];
  readonly #streams = new Map<Stream, string>();
  readonly #ownStreams = new Set<Stream>();
  #servers: UnixServer[] = [];

  private constructor(readonly folder: string, private readonly serverPath: string) {
    this.ca = spireCa("example.org");
  }

  get brokerPath(): string {
    return `${this.folder}/broker.sock`;
  }

  get workloadPath(): string {
    return `${this.folder}/agent.sock`;
  }

  /** `serverPath`: of the broker's own SPIFFE id. */
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

  async start(): Promise<void> {
    const { chain, key } = this.ca.issue(this.serverPath);
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

  push(): void {
    for (const [stream, reference] of this.#streams) this.#send(stream, reference);
  }

  /** Ends every stream with an error. */
  failAll(code: grpc.status, details: string): void {
    for (const stream of this.#streams.keys()) stream.emit("error", refusal(code, details));
    this.#streams.clear();
  }

  pushMessage(message: object): void {
    for (const stream of this.#streams.keys()) stream.write(message);
  }

  /** A new SVID for the proxy itself. */
  renewOwn(ownPath: string): void {
    this.own = [this.ca.issue(ownPath)];
    for (const stream of this.#ownStreams) this.#sendOwn(stream);
  }

  message(svids: readonly RawSvid[]): object {
    return {
      svids: svids.map(({ id, chain, key }) => ({
        spiffeId: id,
        x509Svid: backToBack(...chain),
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
    this.asked.push(reference);
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

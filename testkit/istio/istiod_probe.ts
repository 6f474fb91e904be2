/** A client that says what a test says: delta streams and CSRs to a real istiod, over the usual gRPC library. */
import { readFileSync } from "node:fs";
import * as grpc from "@grpc/grpc-js";
import { istio as ca } from "../../proto/gen/ca.js";
import { envoy } from "../../proto/gen/xds.js";
import type { Sparse } from "../../proto/codec.d.ts";
import { inTime } from "../../lab/patience.ts";

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse } = envoy.service.discovery.v3;
const { IstioCertificateRequest, IstioCertificateResponse } = ca.v1.auth;

export const ADDRESS_TYPE = "type.googleapis.com/istio.workload.Address";
export const AUTHORIZATION_TYPE = "type.googleapis.com/istio.security.Authorization";

type Request = Sparse<envoy.service.discovery.v3.DeltaDiscoveryRequest>;
type Response = envoy.service.discovery.v3.DeltaDiscoveryResponse;

export interface ProbeOptions {
  /** `host:port`. */
  readonly target: string;
  /** With these two, TLS and authentication. */
  readonly rootFile?: string;
  readonly token?: string;
}

/** How a call ended. */
export interface Ended {
  readonly code: grpc.status;
  readonly details: string;
}

const bytes = (value: Uint8Array): Buffer => Buffer.from(value.buffer, value.byteOffset, value.byteLength);

const XDS: grpc.MethodDefinition<Request, Response> = {
  path: "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
  requestStream: true,
  responseStream: true,
  requestSerialize: (message) => bytes(DeltaDiscoveryRequest.encode(message).finish()),
  requestDeserialize: (message) => DeltaDiscoveryRequest.decode(message),
  responseSerialize: (message) => bytes(DeltaDiscoveryResponse.encode(message).finish()),
  responseDeserialize: (message) => DeltaDiscoveryResponse.decode(message),
};

/** One delta stream. */
export class Probe implements AsyncDisposable {
  readonly #client: grpc.Client;
  readonly #stream: grpc.ClientDuplexStream<Request, Response>;
  readonly #ended = Promise.withResolvers<Ended>();
  readonly #responses: Response[] = [];
  #news = Promise.withResolvers<void>();

  constructor(options: ProbeOptions) {
    this.#client = new grpc.Client(options.target, credentials(options), CHANNEL);
    const { path, requestSerialize, responseDeserialize } = XDS;
    this.#stream = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata(options));
    this.#stream.on("data", (response: Response) => {
      this.#responses.push(response);
      this.#news.resolve();
    });
    this.#stream.on("error", () => {}); // told by status
    this.#stream.on("status", ({ code, details }) => this.#ended.resolve({ code, details }));
  }

  send(request: Request): void {
    this.#stream.write(request);
  }

  /** The first request of a stream, as node `node-1`. */
  begin(typeUrl: string, more: Request = {}): void {
    const fields = { NODE_NAME: { stringValue: "node-1" } };
    this.send({ typeUrl, node: { id: "ztunnel~192.0.2.1~ztunnel-1.istio-system~x", metadata: { fields } }, ...more });
  }

  /** The next response, acknowledged. */
  async next(): Promise<Response> {
    const response = await this.take();
    this.send({ typeUrl: response.typeUrl, responseNonce: response.nonce });
    return response;
  }

  /** The next response, with nothing said about it. */
  async take(): Promise<Response> {
    while (this.#responses.length === 0) {
      this.#news = Promise.withResolvers();
      await inTime("a response", Promise.race([this.#news.promise, this.#ended.promise.then(refuse)]));
    }
    return this.#responses.shift()!;
  }

  ended(): Promise<Ended> {
    return inTime("the end of the stream", this.#ended.promise);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stream.cancel();
    await this.#ended.promise;
    this.#client.close();
  }
}

function refuse({ code, details }: Ended): never {
  throw new Error(`the stream has ended: ${grpc.status[code]} ${details}`);
}

export interface CertificateWish {
  /** PEM. */
  readonly csr: string;
  readonly impersonate?: string;
  /** Seconds. */
  readonly life?: number;
}

/** Certificates for a CSR, or how the call ended. */
export async function requestCertificate(
  options: ProbeOptions,
  { csr, impersonate, life = 3600 }: CertificateWish,
): Promise<readonly string[] | Ended> {
  const client = new grpc.Client(options.target, credentials(options), CHANNEL);
  const fields = impersonate === undefined ? {} : { ImpersonatedIdentity: { stringValue: impersonate } };
  const request = { csr, validityDuration: life, metadata: { fields } };
  const answer = Promise.withResolvers<readonly string[] | Ended>();
  client.makeUnaryRequest(
    "/istio.v1.auth.IstioCertificateService/CreateCertificate",
    (message: typeof request) => bytes(IstioCertificateRequest.encode(message).finish()),
    (message) => IstioCertificateResponse.decode(message),
    request,
    metadata(options),
    (error, response) => {
      if (error) answer.resolve({ code: error.code, details: error.details });
      else answer.resolve(response?.certChain ?? []);
    },
  );
  try {
    return await inTime("an answer to the CSR", answer.promise);
  } finally {
    client.close();
  }
}

/** The certificate of istiod's secure port is for this name, and not for the address. */
const CHANNEL = { "grpc.ssl_target_name_override": "istiod.istio-system.svc" };

function credentials({ rootFile }: ProbeOptions): grpc.ChannelCredentials {
  if (rootFile === undefined) return grpc.credentials.createInsecure();
  return grpc.credentials.createSsl(readFileSync(rootFile));
}

function metadata({ token }: ProbeOptions): grpc.Metadata {
  const headers = new grpc.Metadata();
  if (token !== undefined) {
    headers.set("authorization", `Bearer ${token}`);
    headers.set("clusterid", "Kubernetes");
  }
  return headers;
}

/** A scripted client of a real istiod, on a gRPC library: the test sends each message of a delta stream, and CSRs. */
import { readFileSync } from "node:fs";
import * as grpc from "@grpc/grpc-js";
import { istio as ca } from "../../proto/gen/ca.js";
import { envoy } from "../../proto/gen/xds.js";
import type { Sparse } from "../../proto/codec.d.ts";
import { inTime } from "../../lab/eventually.ts";

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse } = envoy.service.discovery.v3;
const { IstioCertificateRequest, IstioCertificateResponse } = ca.v1.auth;

export const ADDRESS_TYPE = "type.googleapis.com/istio.workload.Address";
export const AUTHORIZATION_TYPE = "type.googleapis.com/istio.security.Authorization";

type Request = Sparse<envoy.service.discovery.v3.DeltaDiscoveryRequest>;
type Response = envoy.service.discovery.v3.DeltaDiscoveryResponse;

/** How to reach istiod. */
export interface ProbeOptions {
  /** `host:port`. */
  readonly target: string;
  /** Path of the root certificate in PEM; missing: plaintext. */
  readonly rootFile?: string;
  /** Service account token; missing: no authentication. */
  readonly token?: string;
}

/** The status of a call that has ended. */
interface CallStatus {
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
  readonly #ended = Promise.withResolvers<CallStatus>();
  readonly #responses: Response[] = [];
  #received = Promise.withResolvers<void>();

  constructor(options: ProbeOptions) {
    this.#client = new grpc.Client(options.target, credentials(options), CHANNEL);
    const { path, requestSerialize, responseDeserialize } = XDS;
    this.#stream = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata(options));
    this.#stream.on("data", (response: Response) => {
      this.#responses.push(response);
      this.#received.resolve();
    });
    this.#stream.on("error", () => {}); // the status event follows
    this.#stream.on("status", ({ code, details }) => this.#ended.resolve({ code, details }));
  }

  /** Sends a request. */
  send(request: Request): void {
    this.#stream.write(request);
  }

  /** Sends the first request of a type, as node `node-1`. */
  begin(typeUrl: string, more: Request = {}): void {
    const fields = { NODE_NAME: { stringValue: "node-1" } };
    this.send({ typeUrl, node: { id: "ztunnel~192.0.2.1~ztunnel-1.istio-system~x", metadata: { fields } }, ...more });
  }

  /** Receives the next response and acknowledges it. */
  async next(): Promise<Response> {
    const response = await this.take();
    this.send({ typeUrl: response.typeUrl, responseNonce: response.nonce });
    return response;
  }

  /** Receives the next response without acknowledging it. */
  async take(): Promise<Response> {
    while (this.#responses.length === 0) {
      this.#received = Promise.withResolvers();
      await inTime("a response", Promise.race([this.#received.promise, this.#ended.promise.then(fail)]));
    }
    return this.#responses.shift()!;
  }

  /** Waits for the end of the stream. */
  ended(): Promise<CallStatus> {
    return inTime("the end of the stream", this.#ended.promise);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stream.cancel();
    await this.#ended.promise;
    this.#client.close();
  }
}

/** Throws the status of a stream that ended too early. */
function fail({ code, details }: CallStatus): never {
  throw new Error(`the stream has ended: ${grpc.status[code]} ${details}`);
}

/** The content of a certificate request. */
interface CertificateOptions {
  /** PEM. */
  readonly csr: string;
  /** Identity to request instead of the caller's own. */
  readonly impersonate?: string;
  /** Requested lifetime in seconds. Default: an hour. */
  readonly lifetime?: number;
}

/** Sends a CSR. Returns the certificate chain in PEM, or the status of the call when it fails. */
export async function requestCertificate(
  options: ProbeOptions,
  { csr, impersonate, lifetime = 3600 }: CertificateOptions,
): Promise<readonly string[] | CallStatus> {
  const client = new grpc.Client(options.target, credentials(options), CHANNEL);
  const fields = impersonate === undefined ? {} : { ImpersonatedIdentity: { stringValue: impersonate } };
  const request = { csr, validityDuration: lifetime, metadata: { fields } };
  const result = Promise.withResolvers<readonly string[] | CallStatus>();
  client.makeUnaryRequest(
    "/istio.v1.auth.IstioCertificateService/CreateCertificate",
    (message: typeof request) => bytes(IstioCertificateRequest.encode(message).finish()),
    (message) => IstioCertificateResponse.decode(message),
    request,
    metadata(options),
    (error, response) => {
      if (error) result.resolve({ code: error.code, details: error.details });
      else result.resolve(response?.certChain ?? []);
    },
  );
  try {
    return await inTime("a response to the CSR", result.promise);
  } finally {
    client.close();
  }
}

/** istiod's certificate has this name, and not the address of the test's istiod. */
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

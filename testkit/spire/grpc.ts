/** A gRPC server on a Unix socket, for scripted SPIRE agents and container runtimes. */
import * as grpc from "@grpc/grpc-js";
import { Buffer } from "node:buffer";
import type { Codec } from "../../proto/codec.d.ts";

/** The codecs of a method. */
interface Method {
  readonly request: Codec<unknown>;
  readonly response: Codec<unknown>;
  readonly streams: boolean;
}

/** Describes a method. `streams`: it responds with a stream. */
export function method<Request, Response>(
  request: Codec<Request>,
  response: Codec<Response>,
  streams: boolean,
): Method {
  return { request: request as Codec<unknown>, response: response as Codec<unknown>, streams };
}

/** Functions by method name. */
type Handlers = Readonly<
  Record<
    string,
    (
      call: grpc.ServerWritableStream<unknown, unknown> & grpc.ServerUnaryCall<unknown, unknown>,
      answer: grpc.sendUnaryData<unknown>,
    ) => void
  >
>;

/** A running server. */
export interface UnixServer {
  readonly server: grpc.Server;
  /** Stops the server and ends open calls. */
  stop(): Promise<void>;
}

/** Starts a server. `services`: by name, `package.Service`. Methods are matched by their exact name. */
export async function serveUnix(
  path: string,
  services: Readonly<
    Record<string, { readonly methods: Readonly<Record<string, Method>>; readonly handlers: Handlers }>
  >,
  credentials: grpc.ServerCredentials = grpc.ServerCredentials.createInsecure(),
): Promise<UnixServer> {
  const server = new grpc.Server();
  for (const [service, { methods, handlers }] of Object.entries(services)) {
    const definition: Record<string, grpc.MethodDefinition<unknown, unknown>> = {};
    for (const [name, { request, response, streams }] of Object.entries(methods)) {
      definition[name] = {
        path: `/${service}/${name}`,
        requestStream: false,
        responseStream: streams,
        requestSerialize: (value) => Buffer.from(request.encode(value as never).finish()),
        requestDeserialize: (bytes) => request.decode(bytes),
        responseSerialize: (value) => Buffer.from(response.encode(value as never).finish()),
        responseDeserialize: (bytes) => response.decode(bytes),
      };
    }
    server.addService(definition, handlers as grpc.UntypedServiceImplementation);
  }
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${path}`, credentials, (error) => error === null ? resolve() : reject(error));
  });
  return {
    server,
    stop: () => {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}

/** Makes the error of a handler. */
export function refusal(
  code: grpc.status,
  details: string,
): Partial<grpc.StatusObject> & { name: string; message: string } {
  return { name: "refusal", message: details, code, details };
}

/** Calls SPIRE's Delegated Identity API and converts its messages (`docs/spec/identity-spire.md` 4.2). */
import { spire } from "../../../proto/gen/spire.js";
import type { GrpcChannel } from "../../grpc/channel.ts";
import { CertificateError } from "../../identity/authority.ts";
import type { RawBundles } from "./bundles.ts";
import { ADMIN_SOCKET, explainFailure, type SocketNames } from "./explain_failure.ts";
import type { Selector } from "./selectors.ts";
import type { SvidMessage, SvidStream } from "./source.ts";

const api = spire.api.agent.delegatedidentity.v1;
const SERVICE = "/spire.api.agent.delegatedidentity.v1.DelegatedIdentity";

/** The subject of a stream: a process that the agent inspects, or selectors that the agent accepts without inspection. */
export type DelegatedRequest = { readonly pid: number } | { readonly selectors: readonly Selector[] };

/** A client of the API. */
export class DelegatedApi {
  readonly #channel: GrpcChannel;
  readonly #names: SocketNames;

  /** `socket`: the configured address, for errors. */
  constructor(channel: GrpcChannel, socket: string) {
    this.#channel = channel;
    this.#names = { ...ADMIN_SOCKET, socket };
  }

  /** Opens the stream of SVIDs of a subject. `prefix`: of errors. Rejects with {@link CertificateError}. */
  async subscribeSvids(request: DelegatedRequest, prefix: string, signal: AbortSignal): Promise<SvidStream> {
    const doing = `${prefix}Failed to stream X.509 SVIDs`;
    const bytes = api.SubscribeToX509SVIDsRequest.encode(request).finish();
    const read = await this.#open("SubscribeToX509SVIDs", bytes, doing, signal);
    return { read: async () => ifPresent(await read(), readSvidsMessage) };
  }

  /** Opens the stream of trust bundles. Rejects with {@link CertificateError}. */
  async subscribeBundles(signal: AbortSignal): Promise<{ read(): Promise<RawBundles | CertificateError | null> }> {
    const doing = "failed to fetch bundle for workload: Failed to fetch X.509 bundles";
    const bytes = api.SubscribeToX509BundlesRequest.encode({}).finish();
    const read = await this.#open("SubscribeToX509Bundles", bytes, doing, signal);
    return { read: async () => ifPresent(await read(), readBundlesMessage) };
  }

  /** Closes the channel. */
  close(): void {
    this.#channel.close();
  }

  async #open(method: string, request: Uint8Array, doing: string, signal: AbortSignal) {
    const names = this.#names;
    try {
      const call = await this.#channel.serverStream(`${SERVICE}/${method}`, request, {}, signal);
      return async () => {
        try {
          return await call.read();
        } catch (error) {
          throw explainFailure(error, doing, names);
        }
      };
    } catch (error) {
      throw explainFailure(error, doing, names);
    }
  }
}

function ifPresent<T>(message: { toBytes(): Uint8Array } | null, read: (bytes: Uint8Array) => T): T | null {
  return message === null ? null : read(message.toBytes());
}

/** Decodes a message with SVIDs. Never throws. */
export function readSvidsMessage(bytes: Uint8Array): SvidMessage | CertificateError {
  return decoded(() => {
    const { x509Svids, federatesWith } = api.SubscribeToX509SVIDsResponse.decode(bytes);
    const svids = x509Svids.map(({ x509Svid, x509SvidKey }) => ({
      id: `spiffe://${x509Svid?.id?.trustDomain ?? ""}${x509Svid?.id?.path ?? ""}`,
      chain: x509Svid?.certChain ?? [],
      key: x509SvidKey,
    }));
    return { svids, federatesWith: [...federatesWith], bundles: null };
  });
}

/** Decodes a message with bundles. Never throws. */
export function readBundlesMessage(bytes: Uint8Array): RawBundles | CertificateError {
  return decoded(() => api.SubscribeToX509BundlesResponse.decode(bytes).caCertificates);
}

function decoded<T>(decode: () => T): T | CertificateError {
  try {
    return decode();
  } catch {
    // The error is not passed on, as its text could contain parts of a key.
    return new CertificateError("malformed message of the SPIRE agent", "INVALID_CERTIFICATE");
  }
}

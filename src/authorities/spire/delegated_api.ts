/** Calls of SPIRE's Delegated Identity API, and what its messages are here (`docs/spec/identity-spire.md` 4.2). */
import { spire } from "../../../proto/gen/spire.js";
import type { GrpcChannel } from "../../grpc/channel.ts";
import { CertificateError } from "../../identity/authority.ts";
import type { RawBundles } from "./bundles.ts";
import { ADMIN_SOCKET, explainFailure, type SocketNames } from "./explain_failure.ts";
import type { Selector } from "./selectors.ts";
import type { SvidMessage, SvidStream } from "./source.ts";

const api = spire.api.agent.delegatedidentity.v1;
const SERVICE = "/spire.api.agent.delegatedidentity.v1.DelegatedIdentity";

/** Whom a stream is about: a process, or selectors that we vouch for. */
export type DelegatedRequest = { readonly pid: number } | { readonly selectors: readonly Selector[] };

export class DelegatedApi {
  readonly #channel: GrpcChannel;
  readonly #names: SocketNames;

  /** `socket`: as configured, for errors. */
  constructor(channel: GrpcChannel, socket: string) {
    this.#channel = channel;
    this.#names = { ...ADMIN_SOCKET, socket };
  }

  /** `prefix`: of errors. Rejects with {@link CertificateError}. */
  async subscribeSvids(request: DelegatedRequest, prefix: string, signal: AbortSignal): Promise<SvidStream> {
    const doing = `${prefix}Failed to stream X.509 SVIDs`;
    const bytes = api.SubscribeToX509SVIDsRequest.encode(request).finish();
    const read = await this.#open("SubscribeToX509SVIDs", bytes, doing, signal);
    return { read: async () => ifPresent(await read(), readSvidsMessage) };
  }

  /** Rejects with {@link CertificateError}. */
  async subscribeBundles(signal: AbortSignal): Promise<{ read(): Promise<RawBundles | CertificateError | null> }> {
    const doing = "failed to fetch bundle for workload: Failed to fetch X.509 bundles";
    const bytes = api.SubscribeToX509BundlesRequest.encode({}).finish();
    const read = await this.#open("SubscribeToX509Bundles", bytes, doing, signal);
    return { read: async () => ifPresent(await read(), readBundlesMessage) };
  }

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

/** Never throws. */
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

/** Never throws. */
export function readBundlesMessage(bytes: Uint8Array): RawBundles | CertificateError {
  return decoded(() => api.SubscribeToX509BundlesResponse.decode(bytes).caCertificates);
}

function decoded<T>(decode: () => T): T | CertificateError {
  try {
    return decode();
  } catch {
    // Its reason tells where in the bytes; these hold a key.
    return new CertificateError("malformed message of the SPIRE agent", "INVALID_CERTIFICATE");
  }
}

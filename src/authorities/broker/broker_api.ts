/** Calls the SPIFFE Broker API and converts its messages (`docs/spec/identity-spire.md` 5.2). */
import { spiffe } from "../../../proto/gen/broker.js";
import type { GrpcChannel } from "../../grpc/channel.ts";
import { CertificateError } from "../../identity/authority.ts";
import { parseSpiffeId, trustDomainOf } from "../../identity/spiffe_id.ts";
import { readBundle, readBundles } from "../spire/bundles.ts";
import { explainFailure, type SocketNames } from "../spire/explain_failure.ts";
import type { SvidMessage, SvidStream } from "../spire/source.ts";
import type { WorkloadReference } from "./workload_reference.ts";

const api = spiffe.broker;
const METHOD = "/spiffe.broker.API/SubscribeToX509SVID";
const HEADER = ["broker.spiffe.io", "true"] as const;

/** A client of the API. */
export class BrokerApi {
  readonly #channel: GrpcChannel;
  readonly #names: SocketNames;
  readonly #warn: (text: string) => void;

  /** `socket`: the configured address, for errors. */
  constructor(channel: GrpcChannel, socket: string, warn: (text: string) => void) {
    this.#channel = channel;
    this.#warn = warn;
    this.#names = {
      peer: "the SPIFFE Broker",
      socket,
      here: "SPIFFE_BROKER_SOCKET",
      there: "experimental.broker.socket_path in the agent's configuration",
    };
  }

  /** Opens the stream of SVIDs of a workload. Rejects with {@link CertificateError}. */
  async subscribe(reference: WorkloadReference, signal: AbortSignal): Promise<SvidStream> {
    const request = api.SubscribeToX509SVIDRequest.encode({ reference: { reference } }).finish();
    const explain = (error: unknown) => explainFailure(error, "SPIFFE Broker transport error", this.#names);
    try {
      const call = await this.#channel.serverStream(METHOD, request, { headers: [HEADER] }, signal);
      return {
        read: async () => {
          const message = await call.read().catch((error) => Promise.reject(explain(error)));
          return message === null ? null : this.#decode(message.toBytes());
        },
      };
    } catch (error) {
      throw explain(error);
    }
  }

  /** Closes the channel. */
  close(): void {
    this.#channel.close();
  }

  #decode(bytes: Uint8Array): SvidMessage | CertificateError {
    try {
      return brokerMessage(api.SubscribeToX509SVIDResponse.decode(bytes), this.#warn);
    } catch {
      // The error is not passed on, as its text could contain parts of a key.
      return new CertificateError("malformed message of the SPIFFE Broker", "INVALID_CERTIFICATE");
    }
  }
}

/**
 * Converts a message; returns an error for the whole message where a mandatory field is empty
 * (`docs/spec/identity-spire.md` 5.2). `warn`: called for ignored parts.
 */
export function brokerMessage(
  { svids, crl, federatedBundles }: spiffe.broker.SubscribeToX509SVIDResponse,
  warn: (text: string) => void,
): SvidMessage | CertificateError {
  // SPIRE sends none (identity-spire.md 5.3). The warning tells operators of other brokers that lists are ignored.
  if (crl.length > 0) warn("revocation lists of the SPIFFE Broker are not used; CRL_PATH names a file of them");
  const bundles = new Map(readBundles(federatedBundles, warn));
  const federatesWith = [...bundles.keys()];
  for (const { spiffeId, x509Svid, x509SvidKey, bundle } of svids) {
    const id = parseSpiffeId(spiffeId);
    if (id === null) return incomplete("an SVID without a valid SPIFFE id");
    if (x509Svid.length === 0 || x509SvidKey.length === 0 || bundle.length === 0) {
      return incomplete(`an SVID for ${id} without certificate, key or trust bundle`);
    }
    const anchors = readBundle(bundle);
    if (typeof anchors === "string") return incomplete(`a trust bundle for ${id} that cannot be used: ${anchors}`);
    // Set last, as a federated bundle of the same domain must not replace its own one.
    bundles.set(trustDomainOf(id), anchors);
  }
  return {
    svids: svids.map((svid) => ({ id: svid.spiffeId, chain: [svid.x509Svid], key: svid.x509SvidKey })),
    federatesWith,
    bundles,
  };
}

function incomplete(what: string): CertificateError {
  return new CertificateError(`the SPIFFE Broker sent ${what}`, "INVALID_CERTIFICATE");
}

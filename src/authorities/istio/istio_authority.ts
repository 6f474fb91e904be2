/**
 * Fetches certificates from Istio's CA (`docs/spec/identity-spire.md` 3) with a new key and a signing request for each
 * certificate. In shared mode the proxy requests them on behalf of pods, in dedicated mode for itself.
 */
import { generateKeyPairSync } from "node:crypto";
import { istio } from "../../../proto/gen/ca.js";
import type { GrpcChannel } from "../../grpc/channel.ts";
import { Code, codeDescription, GrpcError } from "../../grpc/status.ts";
import {
  type CertificateAuthority,
  CertificateError,
  type CertificateSubject,
  type IssuedCertificate,
} from "../../identity/authority.ts";
import { type Certificate, isMalformed, parseCertificate } from "../../identity/certificate.ts";
import { checkIssued } from "../../identity/check_issued.ts";
import { isRefusal } from "../../identity/peer_chain.ts";
import { encodePem } from "../../identity/pem.ts";
import { findServerPath } from "../../identity/server_path.ts";
import type { SpiffeId } from "../../identity/spiffe_id.ts";
import { bundlesForAnyDomain, NO_BUNDLES, type TrustBundles } from "../../identity/trust_bundles.ts";
import { parseSignedChain, type SignedChain } from "./signed_chain.ts";
import { signingRequest } from "./csr.ts";

/** What the authority needs. */
export interface IstioAuthorityOptions {
  readonly channel: GrpcChannel;
  /** The requested lifetime in ms; sent in whole seconds. */
  readonly lifetime: number;
  /** Requests the certificate for the subject's id. If false, the CA derives the id from the token, and any id is valid. */
  readonly impersonate: boolean;
  /** ms since the epoch. */
  readonly now: () => number;
  /** Writes a warning. */
  readonly warn: (text: string) => void;
}

const METHOD = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
/** ms per call, as a call that hangs would occupy one of the eight parallel fetches for ever. */
const TIMEOUT = 30_000;

/** The authority of the control plane. */
export class IstioAuthority implements CertificateAuthority {
  readonly keyedBy = "identity";
  readonly #options: IstioAuthorityOptions;
  #bundles: TrustBundles = NO_BUNDLES;
  #awaySince: number | null = null;
  #closed = false;

  constructor(options: IstioAuthorityOptions) {
    this.#options = options;
  }

  async fetch({ id }: CertificateSubject, signal: AbortSignal): Promise<IssuedCertificate> {
    signal.throwIfAborted();
    if (this.#closed) throw new CertificateError("CA client is closed", "CLOSED");
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const texts = await this.#requestSigning(id, signingRequest(id, privateKey), signal);
    const signed = parseSignedChain(texts, id, this.#options.warn);
    const key = new Uint8Array(privateKey.export({ format: "der", type: "pkcs8" }));
    const now = this.#options.now();
    const { impersonate } = this.#options;
    const issued = checkIssued(id, signed.chain, key, bundlesForAnyDomain(signed.roots), now, { anyId: !impersonate });
    checkPath(signed, id, now);
    this.#bundles = issued.bundles;
    return issued;
  }

  get awaySince(): number | null {
    return this.#awaySince;
  }

  bundles(): TrustBundles {
    return this.#bundles;
  }

  close(): void {
    this.#closed = true;
    this.#options.channel.close();
  }

  async #requestSigning(id: SpiffeId, csr: Uint8Array, signal: AbortSignal): Promise<readonly string[]> {
    const { channel, lifetime, impersonate } = this.#options;
    const request = istio.v1.auth.IstioCertificateRequest.encode({
      csr: encodePem("CERTIFICATE REQUEST", csr),
      validityDuration: Math.floor(lifetime / 1000),
      ...(impersonate ? { metadata: { fields: { ImpersonatedIdentity: { stringValue: id } } } } : {}),
    }).finish();
    let response: Uint8Array;
    try {
      response = await channel.unary(METHOD, request, { timeout: TIMEOUT }, signal);
      this.#awaySince = null;
    } catch (error) {
      if (isUnreachable(error)) this.#awaySince ??= this.#options.now();
      throw error instanceof GrpcError ? signingError(error) : error;
    }
    return decode(response);
  }
}

/** False for an error that the CA itself has sent. */
function isUnreachable(error: unknown): boolean {
  return error instanceof GrpcError && (error.code === Code.Unavailable || error.code === Code.DeadlineExceeded);
}

/** `signing gRPC error (Unknown error): …` */
function signingError(error: GrpcError): CertificateError {
  const source = error.source === null ? "" : `: ${error.source}`;
  const text = `signing gRPC error (${codeDescription(error.code)}): ${error.message}${source}`;
  return new CertificateError(text, "SIGNING_REQUEST", { cause: error });
}

function decode(response: Uint8Array): readonly string[] {
  try {
    return istio.v1.auth.IstioCertificateResponse.decode(response).certChain;
  } catch (cause) {
    throw new CertificateError("failed to create CSR: the CA's answer is malformed", "SIGNING", { cause });
  }
}

/** Refuses a certificate that peers would refuse, as the current one may still be valid. */
function checkPath({ chain, roots }: SignedChain, id: SpiffeId, now: number): void {
  const anchors = roots.map(parseCertificate).filter((root): root is Certificate => !isMalformed(root));
  const path = findServerPath(chain, anchors, now);
  if (!isRefusal(path)) return;
  const text = path.code === "UNKNOWN_ISSUER" ? "its chain does not lead to the CA's own roots" : path.message;
  throw new CertificateError(`certificate for ${id} from the CA cannot be used: ${text}`, "INVALID_CERTIFICATE");
}

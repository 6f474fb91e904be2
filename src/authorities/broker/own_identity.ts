/** The proxy's own SVID, from the Workload API: what it shows to the broker (`docs/spec/identity-spire.md` 5.4). */
import { X509SVIDRequest, X509SVIDResponse } from "../../../proto/gen/workload_api.js";
import type { GrpcChannel } from "../../grpc/channel.ts";
import { CertificateError } from "../../identity/authority.ts";
import { type Certificate, isMalformed, parseCertificate } from "../../identity/certificate.ts";
import type { WallClock } from "../../identity/certificate_manager.ts";
import type { WriteLine } from "../../identity/manager_events.ts";
import { type SpiffeId, type TrustDomain, trustDomainOf } from "../../identity/spiffe_id.ts";
import { readBundle } from "../spire/bundles.ts";
import { explainFailure } from "../spire/explain_failure.ts";
import type { SvidMessage, SvidStream } from "../spire/source.ts";
import { followStream } from "../spire/follow_stream.ts";
import { chooseSvid, printable, type RawSvid, readSvid, type Svid } from "../spire/svid.ts";

export interface OwnIdentity {
  readonly svid: Svid;
  readonly trustDomain: TrustDomain;
  /** At least one. */
  readonly anchors: readonly Certificate[];
}

export interface OwnIdentityParts {
  readonly channel: GrpcChannel;
  /** As configured, for errors. */
  readonly socket: string;
  /** Which of the SVIDs that the proxy's pod has. */
  readonly id: SpiffeId;
  readonly clock: WallClock;
  readonly random: () => number;
  readonly log: WriteLine;
}

export interface OwnIdentityEvents {
  onChange(identity: OwnIdentity): void;
  onProblem(error: CertificateError): void;
  /** The agent answers again. */
  onBack(): void;
}

const LONGEST_PAUSE = 5_000;
/** ms within which a stream must bring its first message. */
const FIRST_MESSAGE = 30_000;
const METHOD = "/SpiffeWorkloadAPI/FetchX509SVID";
/** Without it the agent refuses: it keeps HTTP requests that were forged on somebody's behalf from reaching the API. */
const HEADER = ["workload.spiffe.io", "true"] as const;

export class OwnIdentityFollower {
  readonly #parts: OwnIdentityParts;
  readonly #ending = new AbortController();
  #events: OwnIdentityEvents | null = null;
  #current: OwnIdentity | null = null;
  #problem: CertificateError | null = null;
  /** Those who wait for the first one; emptied when it comes, or a problem. */
  #waiting: (() => void)[] = [];

  /** Callers that wait for the next identity; cleared when it arrives. At most one for each stream. */
  #changes: (() => void)[] = [];

  constructor(parts: OwnIdentityParts) {
    this.#parts = parts;
  }

  start(events: OwnIdentityEvents): void {
    const { clock, random, log } = this.#parts;
    this.#events = events;
    followStream<OwnIdentity | CertificateError>({
      clock,
      random,
      longestPause: LONGEST_PAUSE,
      firstMessage: FIRST_MESSAGE,
      open: (signal) => this.#open(signal),
      onMessage: (message) => this.#take(message),
      onProblem: (error, retryIn, news) => {
        log(news ? "warn" : "debug", `${error.message}; next try in ${(retryIn / 1000).toFixed(1)} s`, {});
        this.#failed(error);
      },
      onBack: () => events.onBack(),
    }, this.#ending.signal);
  }

  /** Selects one of the SVIDs that the proxy's pod has. */
  get id(): SpiffeId {
    return this.#parts.id;
  }

  /** Yields the identity like messages of a stream, the current one first, until `signal` is aborted. */
  stream(signal: AbortSignal): SvidStream {
    let seen: OwnIdentity | null = null;
    return {
      read: async () => {
        while (this.#current === null || this.#current === seen) await this.#change(signal);
        seen = this.#current;
        return messageOf(seen);
      },
    };
  }

  get current(): OwnIdentity | null {
    return this.#current;
  }

  /** The identity, at once where it is there. Rejects with {@link CertificateError}. */
  async wait(): Promise<OwnIdentity> {
    if (this.#current === null && this.#problem === null) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#current !== null) return this.#current;
    throw this.#problem ?? new CertificateError("the SPIFFE Broker client is closed", "CLOSED");
  }

  /** Rejects with the reason of `signal`, and when this follower is closed. */
  #change(signal: AbortSignal): Promise<void> {
    const until = AbortSignal.any([signal, this.#ending.signal]);
    if (until.aborted) return Promise.reject(until.reason);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => reject(until.reason);
    until.addEventListener("abort", abort, { once: true });
    this.#changes.push(() => {
      until.removeEventListener("abort", abort);
      resolve();
    });
    return promise;
  }

  close(): void {
    this.#ending.abort(new CertificateError("the SPIFFE Broker client is closed", "CLOSED"));
    this.#wake();
    this.#parts.channel.close();
  }

  async #open(signal: AbortSignal) {
    const { channel, socket } = this.#parts;
    const names = {
      peer: "the Workload API",
      socket,
      here: "SPIFFE_BROKER_WORKLOAD_API_SOCKET",
      there: "socket_path in the agent's configuration",
    };
    const explain = (error: unknown) => explainFailure(error, "SPIFFE Broker: no identity of our own", names);
    try {
      const call = await channel.serverStream(
        METHOD,
        X509SVIDRequest.encode({}).finish(),
        { headers: [HEADER] },
        signal,
      );
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

  #decode(bytes: Uint8Array): OwnIdentity | CertificateError {
    try {
      return ownIdentity(X509SVIDResponse.decode(bytes), this.#parts.id);
    } catch {
      // Its reason tells where in the bytes; these hold a key.
      return new CertificateError("malformed message of the Workload API", "INVALID_CERTIFICATE");
    }
  }

  #take(message: OwnIdentity | CertificateError): void {
    if (message instanceof CertificateError) {
      this.#parts.log("warn", message.message, {});
      return this.#failed(message);
    }
    this.#current = message;
    this.#problem = null;
    this.#events?.onChange(message);
    for (const tell of this.#changes.splice(0)) tell();
    this.#wake();
  }

  /** What is held goes on being used until it expires. */
  #failed(error: CertificateError): void {
    this.#problem = error;
    this.#events?.onProblem(error);
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

function messageOf({ svid, trustDomain, anchors }: OwnIdentity): SvidMessage {
  return {
    svids: [{ id: svid.id, chain: svid.chain, key: svid.key }],
    federatesWith: [],
    bundles: new Map([[trustDomain, anchors.map(({ der }) => der)]]),
  };
}

function ownIdentity({ svids }: X509SVIDResponse, id: SpiffeId): OwnIdentity | CertificateError {
  const raw: RawSvid[] = svids.map((svid) => ({ id: svid.spiffeId, chain: [svid.x509Svid], key: svid.x509SvidKey }));
  const chosen = chooseSvid(raw, id);
  if (chosen === null) {
    const got = printable(raw.map((svid) => svid.id).slice(0, 8).join(", ")) || "none";
    const text = `the Workload API has no SVID for ${id} (it gives ${got}); ` +
      "SPIFFE_BROKER_WORKLOAD_API_SPIFFE_ID must be the id of an entry for the proxy's own pod";
    return new CertificateError(text, "NO_ENTRY");
  }
  const svid = readSvid(chosen, id);
  if (svid instanceof CertificateError) return svid;
  const ders = readBundle(svids[raw.indexOf(chosen)]!.bundle);
  const parsed = typeof ders === "string" ? [] : ders.map(parseCertificate);
  const anchors = parsed.filter((anchor): anchor is Certificate => !isMalformed(anchor));
  if (anchors.length === 0) {
    return new CertificateError(`the Workload API gives no usable trust bundle with ${id}`, "NO_BUNDLE");
  }
  return { svid, trustDomain: trustDomainOf(id), anchors };
}

/** The proxy's own SVID, from the Workload API, which it presents to the broker (`docs/spec/identity-spire.md` 5.4). */
import { X509SVIDRequest, X509SVIDResponse } from "../../../proto/gen/workload_api.js";
import type { GrpcChannel } from "../../grpc/channel.ts";
import { CertificateError } from "../../identity/authority.ts";
import { type Certificate, isMalformed, parseCertificate } from "../../identity/certificate.ts";
import type { WriteLine } from "../../identity/manager_events.ts";
import { type SpiffeId, type TrustDomain, trustDomainOf } from "../../identity/spiffe_id.ts";
import type { WallClock } from "../../net/clock.ts";
import { readBundle } from "../spire/bundles.ts";
import { explainFailure } from "../spire/explain_failure.ts";
import type { SvidMessage, SvidStream } from "../spire/source.ts";
import { followStream } from "../spire/follow_stream.ts";
import { chooseSvid, printable, type RawSvid, readSvid, type Svid } from "../spire/svid.ts";

/** The SVID with the trust anchors of its domain. */
export interface OwnIdentity {
  readonly svid: Svid;
  readonly trustDomain: TrustDomain;
  /** At least one. */
  readonly anchors: readonly Certificate[];
}

/** What a follower needs. */
interface OwnIdentityParts {
  readonly channel: GrpcChannel;
  /** The configured address of the Workload API, for errors. */
  readonly socket: string;
  /** Selects one of the SVIDs of the proxy's pod. */
  readonly id: SpiffeId;
  readonly clock: WallClock;
  readonly random: () => number;
  readonly log: WriteLine;
}

/** Receives events about the identity. */
interface OwnIdentityEvents {
  /** A new SVID or new anchors. */
  onChange(identity: OwnIdentity): void;
  /** A failure; the current identity stays in use. */
  onProblem(error: CertificateError): void;
  /** The agent sends messages again after a failure. */
  onRecovered(): void;
}

const LONGEST_PAUSE = 5_000;
/** ms until the first message of a stream. */
const FIRST_MESSAGE = 30_000;
const METHOD = "/SpiffeWorkloadAPI/FetchX509SVID";
/** Required by the SPIFFE Workload API as a protection against server-side request forgery. */
const HEADER = ["workload.spiffe.io", "true"] as const;

/** Keeps a stream to the Workload API and the newest identity that it has sent. */
export class OwnIdentityFollower {
  readonly #parts: OwnIdentityParts;
  readonly #ending = new AbortController();
  #events: OwnIdentityEvents | null = null;
  #current: OwnIdentity | null = null;
  #problem: CertificateError | null = null;
  /** Callers that wait for the first identity or problem. */
  #waiting: (() => void)[] = [];
  /** Callers that wait for the next identity, at most one per stream. */
  #changes: (() => void)[] = [];

  constructor(parts: OwnIdentityParts) {
    this.#parts = parts;
  }

  /** Starts the stream. Called once. */
  start(events: OwnIdentityEvents): void {
    const { clock, random, log } = this.#parts;
    this.#events = events;
    followStream<OwnIdentity | CertificateError>({
      clock,
      random,
      longestPause: LONGEST_PAUSE,
      firstMessage: FIRST_MESSAGE,
      open: (signal) => this.#open(signal),
      onMessage: (message) => this.#process(message),
      onProblem: (error, retryIn, isNew) => {
        log(isNew ? "warn" : "debug", `${error.message}; next try in ${(retryIn / 1000).toFixed(1)} s`, {});
        this.#failed(error);
      },
      onRecovered: () => events.onRecovered(),
    }, this.#ending.signal);
  }

  /** The SPIFFE id of the SVID. */
  get id(): SpiffeId {
    return this.#parts.id;
  }

  /** Returns the identity as a stream of messages, the current one first, until `signal` is aborted. */
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

  /** The newest identity, which may have expired; null: none has been received. */
  get current(): OwnIdentity | null {
    return this.#current;
  }

  /** Returns the current identity, or waits for the first one or a failure. Rejects with {@link CertificateError}. */
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

  /** Ends the streams and rejects waiting callers. */
  close(): void {
    this.#ending.abort(new CertificateError("the SPIFFE Broker client is closed", "CLOSED"));
    this.#notifyWaiting();
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
      // The error is not passed on, as its text could contain parts of a key.
      return new CertificateError("malformed message of the Workload API", "INVALID_CERTIFICATE");
    }
  }

  #process(message: OwnIdentity | CertificateError): void {
    if (message instanceof CertificateError) {
      this.#parts.log("warn", message.message, {});
      return this.#failed(message);
    }
    this.#current = message;
    this.#problem = null;
    this.#events?.onChange(message);
    for (const notify of this.#changes.splice(0)) notify();
    this.#notifyWaiting();
  }

  /** The current identity stays in use until it expires. */
  #failed(error: CertificateError): void {
    this.#problem = error;
    this.#events?.onProblem(error);
    this.#notifyWaiting();
  }

  #notifyWaiting(): void {
    for (const notify of this.#waiting.splice(0)) notify();
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

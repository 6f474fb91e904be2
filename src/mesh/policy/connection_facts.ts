/**
 * The properties of a connection that policies compare, each computed at most once (`docs/spec/xds-state.md` 5.4, 5.6).
 */
import type { Ip, SocketAddress } from "../../net/address.ts";
import { type IpBits, ipBits } from "../model/cidr.ts";
import type { SpiffeId } from "../model/workload_identity.ts";

const SCHEME = "spiffe://";

/** The properties of one connection. */
export class ConnectionFacts {
  /** The port the application listens on. */
  readonly port: number;
  readonly #identity: SpiffeId | null;
  readonly #sourceAddress: SocketAddress;
  readonly #destinationAddress: SocketAddress;
  #parts: readonly string[] | null = null;
  #source: IpBits | null = null;
  #destination: IpBits | null = null;

  constructor(source: SocketAddress, identity: SpiffeId | null, destination: SocketAddress) {
    this.port = destination.port;
    this.#identity = identity;
    this.#sourceAddress = source;
    this.#destinationAddress = destination;
  }

  /** `td/ns/N/sa/S`, or null without an identity. */
  get principal(): string | null {
    return this.#identity === null ? null : this.#identity.slice(SCHEME.length);
  }

  /** The namespace of the identity; empty without one. */
  get namespace(): string {
    return this.#parsed()[2] ?? "";
  }

  /** `namespace/serviceAccount`, or null without an identity of that shape. */
  get serviceAccount(): string | null {
    const parts = this.#parsed();
    return parts.length === 5 ? `${parts[2]}/${parts[4]}` : null;
  }

  get sourceIp(): Ip {
    return this.#sourceAddress.ip;
  }

  get destinationIp(): Ip {
    return this.#destinationAddress.ip;
  }

  get source(): IpBits {
    return this.#source ??= ipBits(this.#sourceAddress.ip);
  }

  get destination(): IpBits {
    return this.#destination ??= ipBits(this.#destinationAddress.ip);
  }

  /** The parts of the id: trust domain, `ns`, namespace, `sa`, service account. Empty for an id of any other shape. */
  #parsed(): readonly string[] {
    if (this.#parts !== null) return this.#parts;
    const parts = this.principal?.split("/") ?? [];
    const usual = parts.length === 5 && parts[1] === "ns" && parts[3] === "sa";
    return this.#parts = usual ? parts : [];
  }
}

/** Reads values that occur in several kinds of resources (`docs/spec/xds-state.md` 1.3, 1.8). */
import { Buffer } from "node:buffer";
import { type Cidr, parseCidr } from "../mesh/model/cidr.ts";
import {
  type GatewayAddress,
  type Locality,
  type NamespacedHostname,
  namespacedHostname,
  parseNamespacedHostname,
  type PolicyKey,
  policyKey,
  type PortMap,
} from "../mesh/model/model.ts";
import { type Ip, ipv6FromBytes } from "../net/address.ts";
import { ByteCache, type Bytes, TextCache } from "../mesh/records/byte_cache.ts";
import { type FieldTable, readMessage, WireReader } from "./wire_reader.ts";

/** A valid message with a value that cannot be used. The text is sent to the control plane, which logs it. */
export class Unacceptable extends Error {
  override readonly name = "Unacceptable";
}

/** `T` with assignable properties. */
export type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** A reader of resources, with caches of values that many resources share. */
export class MeshReader extends WireReader {
  readonly #texts: TextCache;
  /** Two caches, as the same bytes mean different things in repeated ports and in a port list. */
  readonly #repeatedPorts = new ByteCache<Map<number, number>>(1 << 10);
  readonly #portLists = new ByteCache<Map<number, number>>(1 << 10);
  readonly #policyKeys = new ByteCache<PolicyKey[]>(1 << 10);
  readonly #localities = new ByteCache<Locality>(1 << 8);
  readonly #gateways = new ByteCache<GatewayAddress>(1 << 10);
  /** The number of ignored values; set to 0 at the beginning of each policy. */
  ignored = 0;

  /** `texts`: the number of texts in the cache, a power of two. */
  constructor(texts: number) {
    super();
    this.#texts = new TextCache(texts);
  }

  /** Reads a text that many resources share, such as a namespace. */
  commonText(): string {
    return this.sharedText(this.#texts);
  }

  /** Reads an enum as its name. Throws for an undefined number. */
  enum<T>(names: readonly T[]): T {
    const value = this.int32();
    const name = names[value];
    if (name === undefined) throw unknownNumber(value);
    return name;
  }

  /** Reads the low 16 bits of a port, as the Rust ztunnel does (`docs/spec/xds-state.md` 8.1 Q9). */
  port(): number {
    return this.uint32() & 0xffff;
  }

  /** Reads an address of 4 or 16 bytes. */
  ip(): Ip {
    return ipOf(this.bytes());
  }

  /** Reads `istio.workload.Locality`. */
  locality(): Locality {
    return this.shared(this.#localities, () => readMessage(this, LOCALITY, { region: "", zone: "", subzone: "" }));
  }

  /** Reads `istio.workload.GatewayAddress`. */
  gateway(): GatewayAddress {
    return this.shared(this.#gateways, () => gatewayOf(readMessage(this, GATEWAY_ADDRESS, newGateway())));
  }

  /** Reads all consecutive ports of a service. */
  ports(): PortMap {
    return this.sharedRun(this.#repeatedPorts, () => new Map(), (ports) => {
      const { servicePort, targetPort } = readMessage(this, PORT, { servicePort: 0, targetPort: 0 });
      ports.set(servicePort, targetPort);
    });
  }

  /** Reads `istio.workload.PortList`. */
  portList(): PortMap {
    return this.shared(this.#portLists, () => {
      const ports = new Map<number, number>();
      readMessage(this, PORT_LIST, ports);
      return ports;
    });
  }

  /** Reads the ports of a workload for one service into `memberships`. */
  membership(memberships: Map<NamespacedHostname, PortMap>): void {
    const { key, ports } = readMessage(this, MEMBERSHIP, { key: "", ports: NO_PORTS });
    const parsed = parseNamespacedHostname(key);
    if (parsed === null) throw new Unacceptable(`failed to parse namespaced hostname: ${key}`);
    memberships.set(parsed.key, ports);
  }

  /** Reads all consecutive names of policies. */
  policyKeys(): readonly PolicyKey[] {
    return this.sharedRun(this.#policyKeys, (): PolicyKey[] => [], (keys) => keys.push(policyKey(this.commonText())));
  }
}

const NO_PORTS: PortMap = new Map();

const LOCALITY: FieldTable<Mutable<Locality>, MeshReader> = {
  1: (locality, r) => locality.region = r.commonText(),
  2: (locality, r) => locality.zone = r.commonText(),
  3: (locality, r) => locality.subzone = r.commonText(),
};

const PORT: FieldTable<{ servicePort: number; targetPort: number }, MeshReader> = {
  1: (port, r) => port.servicePort = r.port(),
  2: (port, r) => port.targetPort = r.port(),
};

const PORT_LIST: FieldTable<Map<number, number>, MeshReader> = {
  1: (ports, r) => {
    for (const [from, to] of r.ports()) ports.set(from, to);
  },
};

const MEMBERSHIP: FieldTable<{ key: string; ports: PortMap }, MeshReader> = {
  1: (membership, r) => membership.key = r.commonText(),
  2: (membership, r) => membership.ports = r.portList(),
};

/** `istio.workload.NetworkAddress`. `length`: of a block; null: not given. */
export interface WireAddress {
  network: string;
  address: Uint8Array;
  length: number | null;
}

/** Returns an address with default values. */
export function newWireAddress(): WireAddress {
  return { network: "", address: NO_BYTES, length: null };
}

/** An empty array. */
export const NO_BYTES = new Uint8Array(0);

/** The fields of `istio.workload.NetworkAddress`. */
export const NETWORK_ADDRESS: FieldTable<WireAddress, MeshReader> = {
  1: (into, r) => into.network = r.commonText(),
  2: (into, r) => into.address = r.bytes(),
  3: (into, r) => into.length = r.uint32(),
};

type WireGateway = {
  destination: WireAddress | { readonly namespace: string; readonly hostname: string } | null;
  hboneMtlsPort: number;
};

function newGateway(): WireGateway {
  return { destination: null, hboneMtlsPort: 0 };
}

const HOSTNAME: FieldTable<{ namespace: string; hostname: string }, MeshReader> = {
  1: (name, r) => name.namespace = r.commonText(),
  2: (name, r) => name.hostname = r.commonText(),
};

const GATEWAY_ADDRESS: FieldTable<WireGateway, MeshReader> = {
  1: (gateway, r) => gateway.destination = readMessage(r, HOSTNAME, { namespace: "", hostname: "" }),
  2: (gateway, r) => gateway.destination = readMessage(r, NETWORK_ADDRESS, newWireAddress()),
  3: (gateway, r) => gateway.hboneMtlsPort = r.port(),
};

function gatewayOf({ destination, hboneMtlsPort }: WireGateway): GatewayAddress {
  if (destination === null) throw new Unacceptable("nonempty gateway address is missing address");
  if ("address" in destination) {
    return { kind: "address", network: destination.network, ip: ipOf(destination.address), hboneMtlsPort };
  }
  const { namespace, hostname } = destination;
  return { kind: "hostname", key: namespacedHostname(namespace, hostname), namespace, hostname, hboneMtlsPort };
}

/** Makes the error for an undefined number of an enum. */
export function unknownNumber(value: number): Unacceptable {
  return new Unacceptable(`decode error: unknown enumeration value ${value}`);
}

const IPV4 = 4, IPV6 = 16;

/** Returns the text of an address of 4 or 16 bytes. Throws {@link Unacceptable} for other lengths. */
export function ipOf(bytes: Uint8Array): Ip {
  if (bytes.length === IPV4) return ipv4Text(bytes);
  if (bytes.length !== IPV6) throw new Unacceptable(`failed to parse address, had ${bytes.length} bytes`);
  const ip = ipv6FromBytes(bytes);
  // An IPv4-mapped address differs from its IPv4 form: a lookup of one does not find the other (xds-state.md X9).
  return ip.includes(":") ? ip : `::ffff:${ip}` as Ip;
}

const scratch = Buffer.alloc(15) as Bytes;
const DOT = 46, ZERO = 48;

/** Written into a buffer first: a concatenated string would keep its parts in memory. */
function ipv4Text(bytes: Uint8Array): Ip {
  let at = 0;
  for (let i = 0; i < IPV4; i++) {
    const value = bytes[i]!;
    if (i > 0) scratch[at++] = DOT;
    if (value > 99) scratch[at++] = ZERO + (value / 100 | 0);
    if (value > 9) scratch[at++] = ZERO + (value / 10 | 0) % 10;
    scratch[at++] = ZERO + value % 10;
  }
  return scratch.latin1Slice(0, at) as Ip;
}

/** Returns `address/length`; null where either is not valid. Only the low 8 bits of the length count (8.1 Q9). */
export function cidrOf(address: Uint8Array, length: number): Cidr | null {
  if (address.length !== IPV4 && address.length !== IPV6) return null;
  return parseCidr(`${ipOf(address)}/${length & 0xff}`);
}

/** Returns whether the length is that of a whole address. Only its low 8 bits count. */
export function isHostLength(address: Uint8Array, length: number): boolean {
  return (length & 0xff) === address.length * 8;
}

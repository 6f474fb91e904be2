/** Values that several objects of the static file have. */
import { parseIp } from "../../net/address.ts";
import { type GatewayAddress, type NetworkAddress, parseNamespacedHostname, type PortMap } from "../model/model.ts";
import type { Field } from "./field.ts";

/** Largest value of an unsigned 16-bit number. */
export const MAX_U16 = 0xffff;
/** Largest value of an unsigned 32-bit number. */
export const MAX_U32 = 0xffff_ffff;

const HEALTH = ["Healthy", "Unhealthy"] as const;

/** Reads `Healthy` or `Unhealthy`. */
export function readHealth(field: Field) {
  return field.oneOf(HEALTH);
}

/** Reads a map of service ports to target ports. Keys may be quoted, as in JSON. */
export function readPorts(field: Field): PortMap {
  const ports = new Map<number, number>();
  for (const [key, value] of field.entries()) {
    const port = /^(0|[1-9][0-9]{0,4})$/.test(key) ? Number(key) : MAX_U16 + 1;
    if (port > MAX_U16) value.reject(`cannot use the port ${key} of ${field.path}: it must be 0 to ${MAX_U16}`);
    ports.set(port, value.integer(MAX_U16));
  }
  return ports;
}

/** Reads `network/IP`; the network may be empty. */
export function readNetworkAddress(field: Field): NetworkAddress {
  return field.parsed("network/IP, such as /10.0.0.1", parseNetworkAddress);
}

function parseNetworkAddress(text: string): NetworkAddress | null {
  const slash = text.indexOf("/");
  const ip = slash < 0 ? null : parseIp(text.slice(slash + 1));
  return ip === null ? null : { network: text.slice(0, slash), ip };
}

/** Reads a gateway. A destination of the form `network/IP` is an address, any other is `namespace/hostname`. */
export function readGateway(field: Field): GatewayAddress {
  const fields = field.object(["destination", "hboneMtlsPort"]);
  const destination = fields.required("destination");
  const hboneMtlsPort = fields.required("hboneMtlsPort").integer(MAX_U16);
  const accepted = "network/IP or namespace/hostname";
  const address = parseNetworkAddress(destination.string(accepted));
  if (address !== null) return { kind: "address", ...address, hboneMtlsPort };
  return { kind: "hostname", ...destination.parsed(accepted, parseNamespacedHostname), hboneMtlsPort };
}

/** Fields that records of workloads and of services have in common. */
import type { Ip } from "../../net/address.ts";
import { type GatewayAddress, namespacedHostname } from "../model/model.ts";
import type { RecordReader } from "./record_reader.ts";
import type { RecordWriter } from "./record_writer.ts";

const NONE = 0, ADDRESS = 1, HOSTNAME = 2;

/** Writes a gateway, or null. */
export function writeGateway(writer: RecordWriter, gateway: GatewayAddress | null): void {
  if (gateway === null) return writer.number(NONE);
  switch (gateway.kind) {
    case "address":
      writer.number(ADDRESS);
      writer.text(gateway.network);
      writer.text(gateway.ip);
      break;
    case "hostname":
      writer.number(HOSTNAME);
      writer.text(gateway.namespace);
      writer.text(gateway.hostname);
      break;
    default:
      gateway satisfies never;
  }
  writer.number(gateway.hboneMtlsPort);
}

/** Reads what {@link writeGateway} has written. */
export function readGateway(reader: RecordReader): GatewayAddress | null {
  const kind = reader.number();
  if (kind === NONE) return null;
  const first = reader.commonText(), second = reader.commonText();
  const hboneMtlsPort = reader.number();
  if (kind === ADDRESS) return { kind: "address", network: first, ip: second as Ip, hboneMtlsPort };
  const key = namespacedHostname(first, second);
  return { kind: "hostname", key, namespace: first, hostname: second, hboneMtlsPort };
}

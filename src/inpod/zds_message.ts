/** Decodes and encodes the messages between agent and proxy, one per packet (`docs/spec/inpod-dns.md` A1.2, A1.3). */
import { istio } from "../../proto/gen/zds.js";
import type { WorkloadName } from "../config/config.ts";
import type { PodUid } from "./pod.ts";

const { Version, WorkloadRequest, WorkloadResponse, ZdsHello } = istio.workload.zds;

/** A message of the agent. */
export type ZdsRequest =
  /** Comes with a descriptor. `workload`: null: missing, which violates the protocol. */
  | { readonly kind: "add"; readonly uid: PodUid; readonly workload: WorkloadName | null }
  | { readonly kind: "keep"; readonly uid: PodUid }
  | { readonly kind: "delete"; readonly uid: PodUid }
  | { readonly kind: "snapshot-sent" };

/** A received packet. */
interface ZdsPacket {
  readonly bytes: Uint8Array;
  readonly descriptors: { readonly length: number };
  /** The packet had more bytes or descriptors than were received. */
  readonly truncated: boolean;
}

/** Returns the request, or why the packet is not valid. Never throws. */
export function decodeRequest({ bytes, descriptors, truncated }: ZdsPacket): ZdsRequest | { readonly error: string } {
  if (truncated) return { error: "received truncated message" };
  if (descriptors.length > 1) return { error: `Expected 1 FD, got ${descriptors.length}` };
  const request = parse(bytes);
  if ("error" in request) return request;
  const hasDescriptor = descriptors.length === 1;
  if (request.kind === "add" && !hasDescriptor) return { error: "No control message" };
  if (request.kind !== "add" && hasDescriptor) return { error: "Unexpected control message" };
  return request;
}

function parse(bytes: Uint8Array): ZdsRequest | { readonly error: string } {
  let message: istio.workload.zds.WorkloadRequest;
  try {
    message = WorkloadRequest.decode(bytes);
  } catch (error) {
    return { error: `failed to decode message: ${error instanceof Error ? error.message : String(error)}` };
  }
  const { add, keep, del, snapshotSent } = message;
  if (add) return { kind: "add", uid: add.uid as PodUid, workload: workloadName(add.workloadInfo) };
  if (keep) return { kind: "keep", uid: keep.uid as PodUid };
  if (del) return { kind: "delete", uid: del.uid as PodUid };
  if (snapshotSent) return { kind: "snapshot-sent" };
  return { error: "no payload" };
}

/** Returns plain data, which can be sent to workers. */
function workloadName(info: istio.workload.zds.WorkloadInfo | null): WorkloadName | null {
  return info && { name: info.name, namespace: info.namespace, serviceAccount: info.serviceAccount };
}

/** Encodes the first packet of a connection. */
export function encodeHello(): Uint8Array {
  return ZdsHello.encode({ version: Version.V1 }).finish();
}

/** Bytes. Agents read at most 1024 bytes of a packet (`docs/spec/inpod-dns.md` A1.1). */
const LONGEST_ERROR = 900;

/** Encodes an acknowledgement; null: success. Never an empty packet, which would mean the end of the connection. */
export function encodeAck(error: string | null): Uint8Array {
  return WorkloadResponse.encode({ ack: error === null ? {} : { error: shorten(error) } }).finish();
}

function shorten(text: string): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= LONGEST_ERROR) return text;
  let end = LONGEST_ERROR;
  // Not inside of a character.
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return new TextDecoder().decode(bytes.subarray(0, end)) + "...";
}

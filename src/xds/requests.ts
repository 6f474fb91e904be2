/** The requests on a delta stream, as values and as bytes (`docs/spec/xds-state.md` 2.5, 2.7, 2.9). */
import { concatBytes } from "../identity/der_write.ts";
import { envoy } from "../../proto/gen/xds.js";
import type { Node } from "./node.ts";
import { ADDRESS_TYPE, type ResourceType } from "./resources.ts";

const { DeltaDiscoveryRequest } = envoy.service.discovery.v3;

/** One request of the client. */
export type DeltaRequest =
  | {
    readonly kind: "initial";
    readonly type: ResourceType;
    /** `wildcard`: subscribes to all resources of the type; `on-demand`: to those that are looked up later. */
    readonly mode: "wildcard" | "on-demand";
    readonly versions: Iterable<readonly [name: string, version: string]>;
  }
  | { readonly kind: "ack"; readonly typeUrl: string; readonly nonce: string }
  | { readonly kind: "nack"; readonly typeUrl: string; readonly nonce: string; readonly message: string }
  | { readonly kind: "lookup"; readonly name: string };

/** How many versions are encoded in one step. */
const BATCH = 500;

/**
 * Encodes a request; in steps, as a first request lists every known resource. The concatenation of encoded parts is one
 * message in which maps are merged (https://protobuf.dev/programming-guides/encoding#last-one-wins).
 */
export function* encodeRequest(request: DeltaRequest, node: Node): Generator<void, Uint8Array> {
  switch (request.kind) {
    case "initial": {
      // Subscribing to and unsubscribing from everything in one message is a subscription to nothing yet.
      const all = request.mode === "on-demand" ? ["*"] : [];
      const parts = [encode({
        node,
        typeUrl: request.type,
        resourceNamesSubscribe: all,
        resourceNamesUnsubscribe: all,
      })];
      for (const initialResourceVersions of batches(request.versions)) {
        parts.push(encode({ initialResourceVersions }));
        yield;
      }
      return concatBytes(parts);
    }
    case "ack":
      return encode({ typeUrl: request.typeUrl, responseNonce: request.nonce });
    case "nack":
      return encode({
        typeUrl: request.typeUrl,
        responseNonce: request.nonce,
        errorDetail: { message: request.message },
      });
    case "lookup":
      return encode({ typeUrl: ADDRESS_TYPE, resourceNamesSubscribe: [request.name] });
    default:
      return request satisfies never;
  }
}

function encode(message: Parameters<typeof DeltaDiscoveryRequest.encode>[0]): Uint8Array {
  return DeltaDiscoveryRequest.encode(message).finish();
}

function* batches(versions: Iterable<readonly [string, string]>): Generator<Record<string, string>> {
  let batch = new Map<string, string>();
  for (const [name, version] of versions) {
    batch.set(name, version);
    if (batch.size < BATCH) continue;
    yield Object.fromEntries(batch);
    batch = new Map();
  }
  if (batch.size > 0) yield Object.fromEntries(batch);
}

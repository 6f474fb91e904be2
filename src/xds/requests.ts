/** What we say on a delta stream, as values and as bytes (`docs/spec/xds-state.md` 2.5, 2.7, 2.9). */
import { concatBytes } from "../identity/der_write.ts";
import { envoy } from "../../proto/gen/xds.js";
import type { Node } from "./node.ts";
import { ADDRESS_TYPE, type ResourceType } from "./resources.ts";

const { DeltaDiscoveryRequest } = envoy.service.discovery.v3;

export type DeltaRequest =
  | {
    readonly kind: "initial";
    readonly type: ResourceType;
    /** Everything of the type, or what will be asked for. */
    readonly mode: "wildcard" | "on-demand";
    readonly versions: Iterable<readonly [name: string, version: string]>;
  }
  | { readonly kind: "ack"; readonly typeUrl: string; readonly nonce: string }
  | { readonly kind: "nack"; readonly typeUrl: string; readonly nonce: string; readonly message: string }
  | { readonly kind: "demand"; readonly name: string };

/** Versions encoded in one step. */
const PORTION = 500;

/**
 * Encodes in steps, as a first request lists every resource we hold. Parts of a message that are encoded one by one
 * and put behind each other are one message: maps add up (https://protobuf.dev/programming-guides/encoding#last-one-wins).
 */
export function* encodeRequest(request: DeltaRequest, node: Node): Generator<void, Uint8Array> {
  switch (request.kind) {
    case "initial": {
      // To subscribe and unsubscribe everything in one message means to subscribe to nothing yet.
      const all = request.mode === "on-demand" ? ["*"] : [];
      const parts = [encode({
        node,
        typeUrl: request.type,
        resourceNamesSubscribe: all,
        resourceNamesUnsubscribe: all,
      })];
      for (const initialResourceVersions of portions(request.versions)) {
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
    case "demand":
      return encode({ typeUrl: ADDRESS_TYPE, resourceNamesSubscribe: [request.name] });
    default:
      return request satisfies never;
  }
}

function encode(message: Parameters<typeof DeltaDiscoveryRequest.encode>[0]): Uint8Array {
  return DeltaDiscoveryRequest.encode(message).finish();
}

function* portions(versions: Iterable<readonly [string, string]>): Generator<Record<string, string>> {
  let portion = new Map<string, string>();
  for (const [name, version] of versions) {
    portion.set(name, version);
    if (portion.size < PORTION) continue;
    yield Object.fromEntries(portion);
    portion = new Map();
  }
  if (portion.size > 0) yield Object.fromEntries(portion);
}

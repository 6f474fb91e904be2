/** The description of this proxy in the first request of a stream (`docs/spec/xds-state.md` 2.4). */
import type { NodeSettings } from "../config/config.ts";
import type { Sparse } from "../../proto/codec.d.ts";
import type { envoy, google } from "../../proto/gen/xds.d.ts";

/** `envoy.config.core.v3.Node` for the encoder. */
export type Node = Sparse<envoy.service.discovery.v3.Node>;
type Value = Sparse<google.protobuf.Value>;

/** The settings that describe the node. */
interface NodeParts {
  readonly node: Pick<NodeSettings, "name" | "instanceIp" | "podName" | "podNamespace">;
  /** Names without the `ISTIO_META_` prefix. Overrides the standard entries. */
  readonly proxyMetadata: Readonly<Record<string, string>>;
  /** `ISTIO_METAJSON_*`. Overrides both. */
  readonly jsonMetadata: Readonly<Record<string, unknown>>;
}

/** Returns the node with its id and metadata. */
export function describeNode({ node, proxyMetadata, jsonMetadata }: NodeParts): Node {
  const pod = node.podName ?? "";
  const namespace = node.podNamespace ?? "";
  const texts = {
    NAME: pod,
    NAMESPACE: namespace,
    INSTANCE_IPS: node.instanceIp,
    NODE_NAME: node.name ?? "",
    ...proxyMetadata,
  };
  const fields: Record<string, Value> = {};
  for (const [name, text] of Object.entries(texts)) fields[name] = { stringValue: text };
  for (const [name, value] of Object.entries(jsonMetadata)) fields[name] = toValue(value);
  return {
    id: `ztunnel~${node.instanceIp}~${pod}.${namespace}~${namespace}.svc.cluster.local`,
    metadata: { fields },
  };
}

/** Converts a result of `JSON.parse` to `google.protobuf.Value`. */
export function toValue(json: unknown): Value {
  switch (typeof json) {
    case "string":
      return { stringValue: json };
    case "number":
      return { numberValue: json };
    case "boolean":
      return { boolValue: json };
  }
  if (Array.isArray(json)) return { listValue: { values: json.map(toValue) } };
  if (json === null || typeof json !== "object") return { nullValue: 0 };
  const fields = Object.fromEntries(Object.entries(json).map(([name, value]) => [name, toValue(value)]));
  return { structValue: { fields } };
}

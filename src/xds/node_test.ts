import assert from "node:assert/strict";
import { parseConfig } from "../config/parse_config.ts";
import { describeNode, toValue } from "./node.ts";

const files = {
  read: (path: string) => path === "/etc/resolv.conf" ? "nameserver 127.0.0.1" : null,
  exists: () => false,
};

/** Returns the node for an environment, and the warnings. */
function nodeOf(environment: Readonly<Record<string, string>>) {
  const config = parseConfig(environment, files, 2);
  const { id, metadata } = describeNode({ ...config, jsonMetadata: config.xds.jsonMetadata });
  return { id, fields: metadata?.fields ?? {}, warnings: config.warnings };
}

Deno.test("xds X38: proxy metadata of the mesh and of the environment is sent", () => {
  const { fields } = nodeOf({
    PROXY_CONFIG: JSON.stringify({
      proxyMetadata: { ISTIO_META_BAR: "bar", ISTIO_META_FOOBAR: "foobar-overwritten", NO_PREFIX: "no-prefix" },
    }),
    ISTIO_META_INCLUDE_THIS: "foobar-env",
    NOT_INCLUDE: "x",
    ISTIO_META_CLUSTER_ID: "test-cluster",
  });
  assert.deepEqual(fields["BAR"], { stringValue: "bar" });
  assert.deepEqual(fields["FOOBAR"], { stringValue: "foobar-overwritten" });
  assert.deepEqual(fields["NO_PREFIX"], { stringValue: "no-prefix" });
  assert.deepEqual(fields["INCLUDE_THIS"], { stringValue: "foobar-env" });
  assert.deepEqual(fields["CLUSTER_ID"], { stringValue: "test-cluster" });
  assert.equal(fields["NOT_INCLUDE"], undefined);
});

Deno.test("xds X41: a node without settings", () => {
  const { id, fields } = nodeOf({});
  assert.equal(id, "ztunnel~1.1.1.1~.~.svc.cluster.local");
  assert.deepEqual(fields, {
    NAME: { stringValue: "" },
    NAMESPACE: { stringValue: "" },
    INSTANCE_IPS: { stringValue: "1.1.1.1" },
    NODE_NAME: { stringValue: "" },
  });
});

Deno.test("xds X42: a node with a pod", () => {
  const environment = {
    INSTANCE_IP: "10.1.2.3",
    POD_NAME: "zt-x",
    POD_NAMESPACE: "istio-system",
    NODE_NAME: "n1",
    // The suffix is fixed.
    CLUSTER_DOMAIN: "other.local",
  };
  const { id, fields } = nodeOf(environment);
  assert.equal(id, "ztunnel~10.1.2.3~zt-x.istio-system~istio-system.svc.cluster.local");
  assert.deepEqual(fields, {
    NAME: { stringValue: "zt-x" },
    NAMESPACE: { stringValue: "istio-system" },
    INSTANCE_IPS: { stringValue: "10.1.2.3" },
    NODE_NAME: { stringValue: "n1" },
  });
});

const values: readonly [id: string, json: string, value: unknown][] = [
  ["X43", '{"app":"foo","version":"v1"}', {
    structValue: { fields: { app: { stringValue: "foo" }, version: { stringValue: "v1" } } },
  }],
  ["X44", '["foo","bar"]', { listValue: { values: [{ stringValue: "foo" }, { stringValue: "bar" }] } }],
  ["X45", "true", { boolValue: true }],
  ["X46", "1", { numberValue: 1 }],
  ["X47", "null", { nullValue: 0 }],
  ["2.4", '{"a":[{},1.5,null]}', {
    structValue: {
      fields: {
        a: { listValue: { values: [{ structValue: { fields: {} } }, { numberValue: 1.5 }, { nullValue: 0 }] } },
      },
    },
  }],
];

for (const [id, json, value] of values) {
  Deno.test(`xds ${id}: ${json} as a value`, () => assert.deepEqual(toValue(JSON.parse(json)), value));
}

Deno.test("xds X48: JSON metadata is a struct, and overrides text", () => {
  const { fields } = nodeOf({ ISTIO_METAJSON_LABELS: '{"a":"b"}', ISTIO_METAJSON_NAME: "7" });
  assert.deepEqual(fields["LABELS"], { structValue: { fields: { a: { stringValue: "b" } } } });
  assert.deepEqual(fields["NAME"], { numberValue: 7 });
});

Deno.test("xds X49: invalid JSON is ignored with a warning", () => {
  const { fields, warnings } = nodeOf({ ISTIO_METAJSON_X: "notjson" });
  assert.equal(fields["X"], undefined);
  assert.ok(warnings.includes("failed to parse ISTIO_METAJSON_X=notjson"));
});

Deno.test("node: a key called __proto__ is kept", () => {
  const { fields } = nodeOf({ ISTIO_METAJSON_X: '{"__proto__":{"a":1}}' });
  const inner = fields["X"]?.structValue?.fields ?? {};
  assert.deepEqual(Object.keys(inner), ["__proto__"]);
});

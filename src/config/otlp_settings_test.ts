import { strict as assert } from "node:assert";
import { Environment, type Variables } from "./environment.ts";
import { otlpSettings } from "./otlp_settings.ts";

const read = (variables: Variables) => otlpSettings(new Environment(variables), "1.2.3");
const AT = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };

Deno.test("otlp settings: nothing is exported without an endpoint, nor where the SDK is disabled", () => {
  assert.equal(read({}), null);
  assert.equal(read({ OTEL_EXPORTER_OTLP_ENDPOINT: "" }), null);
  assert.equal(read({ ...AT, OTEL_SDK_DISABLED: "true" }), null);
  assert.equal(read({ ...AT, OTEL_LOGS_EXPORTER: "none", OTEL_TRACES_EXPORTER: "none" }), null);
});

Deno.test("otlp settings: the defaults are those of the OpenTelemetry specification", () => {
  const { logs, traces, sampler, resource } = read(AT)!;
  const common = {
    headers: [],
    isCompressed: false,
    certificate: null,
    client: null,
    timeout: 10_000,
    batchTimeout: 30_000,
  };
  const bounds = { queueMax: 2048, batchMax: 512 };
  assert.deepEqual(logs, { ...common, ...bounds, url: "http://collector:4318/v1/logs", delay: 1000 });
  assert.deepEqual(traces, { ...common, ...bounds, url: "http://collector:4318/v1/traces", delay: 5000 });
  assert.deepEqual(sampler, { ratio: 1, followsParent: true });
  assert.deepEqual(resource, { "service.name": "ztunnel", "service.version": "1.2.3" });
});

Deno.test("otlp settings: a variable of a signal wins, and its endpoint is used as it is", () => {
  const settings = read({
    OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector/base/",
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://other:1/spans?x=1",
    OTEL_EXPORTER_OTLP_TIMEOUT: "5000",
    OTEL_EXPORTER_OTLP_LOGS_TIMEOUT: "700",
    OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
    OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: "none",
    OTEL_EXPORTER_OTLP_CERTIFICATE: "/ca.pem",
    OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE: "/other.pem",
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: "/client.pem",
    OTEL_EXPORTER_OTLP_CLIENT_KEY: "/client.key",
    OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY: "/other.key",
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20abc,x-a=1",
    OTEL_EXPORTER_OTLP_LOGS_HEADERS: " X-A = 2 ",
    OTEL_BLRP_MAX_QUEUE_SIZE: "100",
  })!;
  const { logs, traces } = settings;
  assert.deepEqual([logs!.url, traces!.url], ["https://collector/base/v1/logs", "http://other:1/spans?x=1"]);
  assert.deepEqual([logs!.timeout, traces!.timeout], [700, 5000]);
  assert.deepEqual([logs!.isCompressed, traces!.isCompressed], [true, false]);
  assert.deepEqual([logs!.certificate, traces!.certificate], ["/ca.pem", "/other.pem"]);
  assert.deepEqual(logs!.client, { certificate: "/client.pem", key: "/other.key" });
  assert.deepEqual(traces!.client, { certificate: "/client.pem", key: "/client.key" });
  assert.deepEqual(logs!.headers, [["authorization", "Bearer abc"], ["x-a", "2"]]);
  assert.deepEqual(traces!.headers, [["authorization", "Bearer abc"], ["x-a", "1"]]);
  assert.deepEqual([logs!.queueMax, logs!.batchMax, traces!.batchMax], [100, 100, 512]);
});

Deno.test("otlp settings: samplers", () => {
  const sampler = (name: string, arg?: string) =>
    read({ ...AT, OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: arg })!.sampler;
  assert.deepEqual(sampler(""), { ratio: 1, followsParent: true });
  assert.deepEqual(sampler("always_on"), { ratio: 1, followsParent: false });
  assert.deepEqual(sampler("parentbased_always_off"), { ratio: 0, followsParent: true });
  assert.deepEqual(sampler("traceidratio", "0.25"), { ratio: 0.25, followsParent: false });
  assert.deepEqual(sampler("parentbased_traceidratio", ""), { ratio: 1, followsParent: true });
});

Deno.test("otlp settings: the resource is this proxy, with what the operator adds", () => {
  const { resource } = read({
    ...AT,
    NODE_NAME: "node-1",
    OTEL_SERVICE_NAME: "mesh",
    OTEL_RESOURCE_ATTRIBUTES: "service.name=other,k8s.cluster.name=a%2Cb",
  })!;
  assert.deepEqual(resource, {
    "service.name": "mesh",
    "service.version": "1.2.3",
    "k8s.node.name": "node-1",
    "k8s.cluster.name": "a,b",
  });
  const attributes = "service.name=other";
  assert.equal(
    read({ ...AT, OTEL_SERVICE_NAME: "", OTEL_RESOURCE_ATTRIBUTES: attributes })!.resource["service.name"],
    "other",
  );
});

const MISTAKES: readonly (readonly [Variables, RegExp])[] = [
  [
    { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
    /^invalid configuration: OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not supported: it must be http\/protobuf; a collector/,
  ],
  [{ OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: "http/json" }, /OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=http\/json is not supported/],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" }, /OTEL_EXPORTER_OTLP_ENDPOINT must be a URL/],
  [
    { OTEL_EXPORTER_OTLP_CLIENT_KEY: "/k" },
    /CLIENT_KEY is set for logs, and OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE is not/,
  ],
  [
    { OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE: "/c" },
    /CLIENT_CERTIFICATE is set for traces, and OTEL_EXPORTER_OTLP_CLIENT_KEY is not/,
  ],
  [{ OTEL_EXPORTER_OTLP_COMPRESSION: "zstd" }, /OTEL_EXPORTER_OTLP_COMPRESSION=zstd is not supported/],
  [{ OTEL_EXPORTER_OTLP_TIMEOUT: "10s" }, /invalid env var|OTEL_EXPORTER_OTLP_TIMEOUT=10s must be a number/],
  [{ OTEL_TRACES_SAMPLER: "jaeger_remote" }, /OTEL_TRACES_SAMPLER=jaeger_remote is not supported/],
  [
    { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "2" },
    /OTEL_TRACES_SAMPLER_ARG must be from 0 to 1/,
  ],
  [{ OTEL_LOGS_EXPORTER: "console" }, /OTEL_LOGS_EXPORTER=console is not supported/],
  [{ OTEL_BSP_MAX_QUEUE_SIZE: "0" }, /OTEL_BSP_MAX_QUEUE_SIZE must be at least 1/],
  [{ OTEL_RESOURCE_ATTRIBUTES: "a=%zz" }, /OTEL_RESOURCE_ATTRIBUTES: a value is not percent-encoded/],
];
for (const [variables, message] of MISTAKES) {
  Deno.test(`otlp settings: refused by name: ${Object.entries(variables).join()}`, () => {
    assert.throws(() => read({ ...AT, ...variables }), { message });
  });
}

Deno.test("otlp settings: no error has the value of a header or the password of a URL", () => {
  for (
    const variables of [
      { OTEL_EXPORTER_OTLP_HEADERS: "sesame" },
      { OTEL_EXPORTER_OTLP_HEADERS: "a b=sesame" },
      { OTEL_EXPORTER_OTLP_HEADERS: "authorization=sesame%0A" },
      { OTEL_EXPORTER_OTLP_HEADERS: "authorization=sesame%zz" },
      { OTEL_EXPORTER_OTLP_ENDPOINT: "ftp://user:sesame@host" },
    ]
  ) {
    assert.throws(() => read({ ...AT, ...variables }), (error: Error) => !error.message.includes("sesame"));
  }
});

import { strict as assert } from "node:assert";
import { Environment, type Variables } from "./environment.ts";
import { ConfigError } from "./error.ts";
import { type SpireSettings, spireSettings } from "./spire_settings.ts";

function parse(variables: Variables, shared = true): SpireSettings {
  return spireSettings(new Environment(variables), shared);
}

function refusal(variables: Variables, shared = true): string {
  try {
    parse(variables, shared);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
  throw new Error("no refusal");
}

Deno.test("identity 4.1: SPIRE is off by default, and its settings are not checked", () => {
  const settings = parse({ SPIRE_ADMIN_ENDPOINT_SOCKET: "nonsense" });
  assert.ok(!settings.enabled);
  assert.equal(settings.broker, null);
});

Deno.test("identity P25: the default of the admin socket is used", () => {
  const settings = parse({ SPIRE_ENABLED: "true" });
  assert.ok(settings.enabled);
  assert.equal(settings.adminSocketPath, "/run/spire/sockets/admin.sock");
  assert.equal(settings.timeout, 10_000);
  assert.equal(settings.attestation, "pid");
  assert.equal(settings.concurrency, 8);
  assert.equal(settings.containerRuntimeSockets.length, 4);
});

Deno.test("identity P23: a TCP address is valid, and refused because nobody can be attested over it", () => {
  assert.equal(
    refusal({ SPIRE_ENABLED: "true", SPIRE_ADMIN_ENDPOINT_SOCKET: "tcp://1.2.3.4:80" }),
    "invalid env var SPIRE_ADMIN_ENDPOINT_SOCKET=tcp://1.2.3.4:80 " +
      "(invalid endpoint socket path: it must be a Unix socket, such as unix:///run/x.sock)",
  );
});

Deno.test("identity 4.1: settings that turn SPIRE on", () => {
  assert.ok(parse({ USE_SPIRE: "true" }).enabled);
  assert.ok(parse({ CA_PROVIDER: "spire" }).enabled);
  assert.ok(!parse({ SPIRE_ENABLED: "false", USE_SPIRE: "true" }).enabled);
  assert.match(refusal({ SPIRE_ENABLED: "true", CA_PROVIDER: "istio_ca" }), /contradicts CA_PROVIDER=istio_ca/);
});

Deno.test("identity 4.1: the container runtime's socket with and without scheme", () => {
  const at = (text: string) => parse({ CONTAINER_RUNTIME_SOCK_PATH: text }).containerRuntimeSockets;
  assert.deepEqual(at("/run/crio/crio.sock"), ["/run/crio/crio.sock"]);
  assert.deepEqual(at("unix:///run/crio/crio.sock"), ["/run/crio/crio.sock"]);
  assert.match(refusal({ CONTAINER_RUNTIME_SOCK_PATH: "crio.sock" }), /CONTAINER_RUNTIME_SOCK_PATH=crio.sock/);
});

Deno.test("identity 4.1: attestation of single pods requires shared mode", () => {
  assert.match(refusal({ SPIRE_ENABLED: "true" }, false), /SPIRE_ATTESTATION=pid requires PROXY_MODE=shared/);
  assert.ok(parse({ SPIRE_ENABLED: "true", SPIRE_ATTESTATION: "selectors" }, false).enabled);
});

Deno.test("identity 4.1: attestation and concurrency", () => {
  assert.equal(parse({ SPIRE_ATTESTATION: "selectors" }).attestation, "selectors");
  assert.match(refusal({ SPIRE_ATTESTATION: "x" }), /must be one of pid, selectors, pod_selectors/);
  assert.equal(parse({ SPIRE_CONCURRENCY: "20" }).concurrency, 20);
  assert.match(refusal({ SPIRE_CONCURRENCY: "0" }), /must be at least 1/);
});

const BROKER = {
  CA_PROVIDER: "spiffe_broker",
  SPIFFE_BROKER_SOCKET: "unix:///run/broker.sock",
  SPIFFE_BROKER_WORKLOAD_API_SOCKET: "/run/agent.sock",
};

Deno.test("identity B6: CA_PROVIDER", () => {
  for (const variables of [{}, { CA_PROVIDER: "istio_ca" }]) {
    assert.ok(!parse(variables).enabled);
    assert.equal(parse(variables).broker, null);
  }
  assert.ok(parse(BROKER).broker !== null);
  assert.match(refusal({ CA_PROVIDER: "foo" }), /must be one of istio_ca, spire, spiffe_broker/);
});

Deno.test("identity B7: broker without its sockets", () => {
  assert.equal(
    refusal({ ...BROKER, SPIFFE_BROKER_SOCKET: undefined }),
    "invalid configuration: CA_PROVIDER=spiffe_broker requires SPIFFE_BROKER_SOCKET to be set",
  );
  assert.equal(
    refusal({ ...BROKER, SPIFFE_BROKER_WORKLOAD_API_SOCKET: undefined }),
    "invalid configuration: CA_PROVIDER=spiffe_broker requires SPIFFE_BROKER_WORKLOAD_API_SOCKET to be set",
  );
});

Deno.test("identity 5.4: over TCP the broker's id is required, unless SPIFFE_BROKER_INSECURE is set", () => {
  const tcp = { ...BROKER, SPIFFE_BROKER_SOCKET: "tcp://10.0.0.1:8085" };
  assert.match(
    refusal(tcp),
    /^invalid configuration: SPIFFE_BROKER_SOCKET=tcp:.* requires SPIFFE_BROKER_SERVER_SPIFFE_ID to be set/,
  );
  assert.match(refusal({ ...tcp, SPIFFE_BROKER_INSECURE: "false" }), /SPIFFE_BROKER_INSECURE=true allows that/);
  assert.equal(parse({ ...tcp, SPIFFE_BROKER_INSECURE: "true" }).broker?.serverId, null);
  const id = "spiffe://td/spire/agent/x";
  assert.equal(parse({ ...tcp, SPIFFE_BROKER_SERVER_SPIFFE_ID: id }).broker?.serverId, id);
});

Deno.test("identity 5.4: broker settings", () => {
  const { broker } = parse(BROKER);
  assert.deepEqual(broker, {
    socket: { kind: "unix", path: "/run/broker.sock" },
    socketUri: "unix:///run/broker.sock",
    workloadApiUri: "/run/agent.sock",
    workloadApiPath: "/run/agent.sock",
    ownId: "spiffe://cluster.local/ns/istio-system/sa/ztunnel",
    serverId: null,
    attestation: "k8s_object",
    timeout: 10_000,
  });
  const other = {
    ...BROKER,
    SPIFFE_BROKER_WORKLOAD_API_SOCKET: undefined,
    SPIFFE_ENDPOINT_SOCKET: "unix:///run/w.sock",
  };
  assert.equal(parse(other).broker?.workloadApiPath, "/run/w.sock");
  assert.match(refusal(BROKER, false), /requires PROXY_MODE=shared/);
  assert.match(refusal({ ...BROKER, SPIFFE_BROKER_SERVER_SPIFFE_ID: "spiffe://td" }), /must be a SPIFFE id/);
});

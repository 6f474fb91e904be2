/** Certificates from SPIRE: what operators set (`docs/spec/config-admin.md` 1.13, `identity-spire.md` 4.1, 5.4). */
import type { Millis } from "../net/clock.ts";
import type { SettingWith } from "./catalogue/settings.ts";
import type { Environment } from "./environment.ts";
import { invalidConfiguration, invalidVariable } from "./error.ts";
import { type Parsed, parsed, parseU16, refused } from "./scalars.ts";
import { type EndpointSocket, parseEndpointSocket } from "./spire_socket.ts";

/**
 * How the agent learns whose identity is wanted (`SPIRE_ATTESTATION`): by a process of the pod; by namespace and
 * service account; by these and the pod's name and uid.
 */
type SpireAttestation = "pid" | "selectors" | "pod_selectors";

/** How certificates are requested from the SPIRE agent. */
export interface SpireSettings {
  /** Certificates come from the agent's Delegated Identity API. */
  readonly enabled: boolean;
  /** The agent's admin socket as it was written, for the dump and for errors. */
  readonly adminSocket: string;
  /** Absolute. */
  readonly adminSocketPath: string;
  /** For opening a stream and its first certificate. */
  readonly timeout: Millis;
  readonly attestation: SpireAttestation;
  /** Attestations that the agent does for us at the same time. At least 1. */
  readonly concurrency: number;
  /** CRI sockets, absolute paths; the first one that exists is used. It maps a pod's uid to a process. */
  readonly containerRuntimeSockets: readonly string[];
  /** `SPIRE_REVOKE_OPEN`: when a certificate is withdrawn, open connections are closed too. */
  readonly revokeOpen: boolean;
  /** Not null: certificates come from the SPIFFE Broker API. */
  readonly broker: BrokerSettings | null;
}

/** How certificates are requested from a SPIFFE broker. */
export interface BrokerSettings {
  readonly socket: EndpointSocket;
  /** As they were written. */
  readonly socketUri: string;
  readonly workloadApiUri: string;
  /** Absolute: where the proxy gets an identity of its own. */
  readonly workloadApiPath: string;
  /** That identity. */
  readonly ownId: string;
  /** Whom to expect at the broker's socket; null: anybody of our own trust domain. */
  readonly serverId: string | null;
  readonly attestation: "k8s_object" | "pid";
  readonly timeout: Millis;
}

const RUNTIME_SOCKETS = [
  "/run/containerd/containerd.sock",
  "/run/k3s/containerd/containerd.sock",
  "/run/crio/crio.sock",
  "/var/run/cri-dockerd.sock",
];
const SPIFFE_ID = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/[a-zA-Z0-9._-]+)+$/;

/** `shared`: the proxy serves the pods of a node. Throws `ConfigError`. */
export function spireSettings(environment: Environment, shared: boolean): SpireSettings {
  const provider = environment.parse("CA_PROVIDER", oneOf("istio_ca", "spire", "spiffe_broker"));
  const switched = environment.has("SPIRE_ENABLED") ? "SPIRE_ENABLED" : "USE_SPIRE";
  const enabled = environment.bool(switched) || provider === "spire";
  if (enabled && provider !== null && provider !== "spire") {
    throw invalidConfiguration(`${switched}=true contradicts CA_PROVIDER=${provider}; set one of them`);
  }
  const adminSocket = environment.text("SPIRE_ADMIN_ENDPOINT_SOCKET");
  const attestation = environment.parse("SPIRE_ATTESTATION", oneOf("pid", "selectors", "pod_selectors"));
  if (enabled && !shared && attestation !== "selectors") {
    throw invalidConfiguration(
      `SPIRE_ATTESTATION=${attestation} requires PROXY_MODE=shared, where the CNI agent tells which pod is which; ` +
        "set SPIRE_ATTESTATION=selectors",
    );
  }
  return {
    enabled,
    adminSocket,
    adminSocketPath: enabled ? unixPath("SPIRE_ADMIN_ENDPOINT_SOCKET", adminSocket) : "",
    timeout: environment.duration("SPIRE_TIMEOUT"),
    attestation,
    concurrency: environment.parse("SPIRE_CONCURRENCY", parseConcurrency),
    containerRuntimeSockets: runtimeSockets(environment.text("CONTAINER_RUNTIME_SOCK_PATH")),
    revokeOpen: environment.bool("SPIRE_REVOKE_OPEN"),
    broker: provider === "spiffe_broker" ? brokerSettings(environment, shared) : null,
  };
}

function brokerSettings(environment: Environment, shared: boolean): BrokerSettings {
  if (!shared) throw invalidConfiguration("CA_PROVIDER=spiffe_broker requires PROXY_MODE=shared");
  const socketUri = brokerVariable(environment, "SPIFFE_BROKER_SOCKET");
  const own = "SPIFFE_BROKER_WORKLOAD_API_SOCKET";
  const workloadApi = environment.has(own) || !environment.has("SPIFFE_ENDPOINT_SOCKET")
    ? own
    : "SPIFFE_ENDPOINT_SOCKET";
  const workloadApiUri = brokerVariable(environment, workloadApi);
  const socket = endpoint("SPIFFE_BROKER_SOCKET", socketUri);
  const serverId = environment.parse("SPIFFE_BROKER_SERVER_SPIFFE_ID", parseId);
  const insecure = environment.bool("SPIFFE_BROKER_INSECURE");
  if (socket.kind === "tcp" && serverId === null && !insecure) {
    throw invalidConfiguration(
      `SPIFFE_BROKER_SOCKET=${socketUri} requires SPIFFE_BROKER_SERVER_SPIFFE_ID to be set: over TCP any workload of the ` +
        "trust domain could be the broker and hand out its certificates; SPIFFE_BROKER_INSECURE=true allows that",
    );
  }
  return {
    socket,
    socketUri,
    workloadApiUri,
    workloadApiPath: unixPath(workloadApi, workloadApiUri),
    ownId: environment.parse("SPIFFE_BROKER_WORKLOAD_API_SPIFFE_ID", parseId),
    serverId,
    attestation: environment.parse("SPIFFE_BROKER_ATTESTATION", oneOf("k8s_object", "pid")),
    timeout: environment.duration("SPIFFE_BROKER_TIMEOUT"),
  };
}

function brokerVariable(environment: Environment, name: SettingWith<"text">): string {
  const text = environment.text(name);
  if (text === null) throw invalidConfiguration(`CA_PROVIDER=spiffe_broker requires ${name} to be set`);
  return text;
}

function endpoint(name: string, text: string): EndpointSocket {
  const socket = parseEndpointSocket(text, { tcpHost: "address or name" });
  if (!socket.ok) throw invalidVariable(name, text, `invalid endpoint socket path: ${socket.reason}`);
  return socket.value;
}

/** The agent's APIs for delegates and workloads are Unix sockets only: the agent identifies its caller by the socket. */
function unixPath(name: string, text: string): string {
  const socket = parseEndpointSocket(text);
  if (!socket.ok) throw invalidVariable(name, text, `invalid endpoint socket path: ${socket.reason}`);
  if (socket.value.kind === "unix") return socket.value.path;
  throw invalidVariable(
    name,
    text,
    "invalid endpoint socket path: it must be a Unix socket, such as unix:///run/x.sock",
  );
}

function runtimeSockets(text: string | null): readonly string[] {
  return text === null ? RUNTIME_SOCKETS : [unixPath("CONTAINER_RUNTIME_SOCK_PATH", text)];
}

function parseConcurrency(text: string): Parsed<number> {
  const number = parseU16(text);
  return number.ok && number.value === 0 ? refused("must be at least 1") : number;
}

function parseId(text: string): Parsed<string> {
  return SPIFFE_ID.test(text) ? parsed(text) : refused("must be a SPIFFE id such as spiffe://td/ns/a/sa/b");
}

function oneOf<const T extends string>(...words: readonly T[]): (text: string) => Parsed<T> {
  return (text) => {
    const word = words.find((candidate) => candidate === text);
    return word === undefined ? refused(`must be one of ${words.join(", ")}`) : parsed(word);
  };
}

/** Settings: the TLS library, its policy, and certificates from SPIRE or from a CA of the proxy's own. */
import type { Setting } from "./setting.ts";

export const TLS = {
  TLS_LIBRARY: {
    syntax: "text",
    fallback: null,
    values: "path",
    unset: "the library inside the executable, else the system's `libssl.so.3`",
    origin: "ours",
    text:
      "The TLS library of the mesh, AWS-LC, OpenSSL 3 or BoringSSL: a `libssl` that brings its `libcrypto` with it.",
  },
  TLS12_ENABLED: {
    syntax: "switch",
    fallback: null,
    values: "`true`",
    text: "Allows TLS 1.2 besides TLS 1.3, also towards istiod and its CA.",
  },
  COMPLIANCE_POLICY: {
    syntax: "text",
    fallback: "",
    values: "`pqc`, `fips-140-2` or `fips-140-3`",
    text: "Restricts TLS in the mesh: to the post-quantum group X25519MLKEM768, or to approved algorithms of a FIPS " +
      "module. The FIPS policies are known here only. Another value is ignored with a warning.",
  },
  CRL_PATH: {
    syntax: "text",
    fallback: null,
    values: "path",
    text: "File of certificate revocation lists, read again when it changes.",
  },
  FAKE_CA: {
    syntax: "bool",
    fallback: "false",
    text: "Certificates come from a CA inside the proxy, for any identity. For tests and demos only.",
  },
  LOCAL_CA_CERT: {
    syntax: "text",
    fallback: null,
    values: "path",
    origin: "ours",
    text:
      "Certificate of the CA of `FAKE_CA`, shared by several proxies of one machine. It is created if it does not " +
      "exist. Requires `LOCAL_CA_KEY`.",
  },
  LOCAL_CA_KEY: { syntax: "text", fallback: null, values: "path", origin: "ours", text: "Private key of that CA." },
} as const satisfies Record<string, Setting>;

export const SPIRE = {
  SPIRE_ENABLED: {
    syntax: "bool",
    fallback: "false",
    origin: "spire",
    text: "Certificates come from the SPIRE agent of the node.",
  },
  USE_SPIRE: {
    syntax: "bool",
    fallback: "false",
    origin: "ours",
    text: "Another name of `SPIRE_ENABLED`, used where that is not set.",
  },
  CA_PROVIDER: {
    syntax: "words",
    fallback: null,
    values: "`istio_ca`, `spire` or `spiffe_broker`",
    unset: "`SPIRE_ENABLED` decides",
    origin: "ours",
    text:
      "Where certificates come from: Istio's CA, the Delegated Identity API of the SPIRE agent, or its SPIFFE Broker " +
      "API.",
  },
  SPIRE_ADMIN_ENDPOINT_SOCKET: {
    syntax: "text",
    fallback: "unix:///run/spire/sockets/admin.sock",
    values: "`unix:///path`",
    origin: "spire",
    text: "Admin socket of the SPIRE agent (its `admin_socket_path`).",
  },
  SPIRE_TIMEOUT: {
    syntax: "duration",
    fallback: "10s",
    origin: "spire",
    text: "The longest time from a request to the agent until its first certificate.",
  },
  SPIRE_ATTESTATION: {
    syntax: "words",
    fallback: "pid",
    values: "`pid`, `selectors` or `pod_selectors`",
    origin: "ours",
    text:
      "How the agent learns whose certificate is wanted: by a process of the pod, by namespace and service account, or " +
      "by these and the pod's name and uid. Dedicated mode requires `selectors`.",
  },
  SPIRE_CONCURRENCY: {
    syntax: "u16",
    fallback: "8",
    values: "number from 1",
    origin: "ours",
    text: "Requests to the SPIRE agent at the same time. Each makes the agent attest a process.",
  },
  SPIRE_REVOKE_OPEN: {
    syntax: "bool",
    fallback: "false",
    origin: "ours",
    text: "Closes open connections when the registration entry behind their certificate is deleted.",
  },
  CONTAINER_RUNTIME_SOCK_PATH: {
    syntax: "text",
    fallback: null,
    values: "`unix:///path`",
    unset: "the first that exists of containerd's, k3s', CRI-O's and cri-dockerd's usual sockets",
    origin: "spire",
    text: "Socket of the container runtime (CRI), which tells the processes of a pod.",
  },
  SPIFFE_BROKER_SOCKET: {
    syntax: "text",
    fallback: null,
    values: "`unix:///path` or `tcp://host:port`",
    origin: "ours",
    text: "The broker. Required with `CA_PROVIDER=spiffe_broker`.",
  },
  SPIFFE_BROKER_WORKLOAD_API_SOCKET: {
    syntax: "text",
    fallback: null,
    values: "`unix:///path`",
    unset: "`SPIFFE_ENDPOINT_SOCKET`",
    origin: "ours",
    text:
      "Where the proxy gets its own certificate for calls to the broker. Required with `CA_PROVIDER=spiffe_broker`.",
  },
  SPIFFE_ENDPOINT_SOCKET: {
    syntax: "text",
    fallback: null,
    values: "`unix:///path`",
    origin: "ours",
    text: "The same under the name that SPIFFE defines.",
  },
  SPIFFE_BROKER_WORKLOAD_API_SPIFFE_ID: {
    syntax: "text",
    fallback: "spiffe://cluster.local/ns/istio-system/sa/ztunnel",
    values: "SPIFFE id",
    origin: "ours",
    text: "The proxy's own SPIFFE id towards the broker.",
  },
  SPIFFE_BROKER_SERVER_SPIFFE_ID: {
    syntax: "text",
    fallback: null,
    values: "SPIFFE id",
    unset: "any id of the proxy's own trust domain",
    origin: "ours",
    text: "The SPIFFE id that the broker must have. Required for a broker that is reached over TCP.",
  },
  SPIFFE_BROKER_INSECURE: {
    syntax: "bool",
    fallback: "false",
    origin: "ours",
    text:
      "Allows a broker over TCP without `SPIFFE_BROKER_SERVER_SPIFFE_ID`: any workload of the trust domain can then " +
      "act as the broker.",
  },
  SPIFFE_BROKER_ATTESTATION: {
    syntax: "words",
    fallback: "k8s_object",
    values: "`k8s_object` or `pid`",
    origin: "ours",
    text: "How the broker learns whose certificate is wanted: by the pod's Kubernetes object, or by a process.",
  },
  SPIFFE_BROKER_TIMEOUT: {
    syntax: "duration",
    fallback: "10s",
    origin: "ours",
    text: "The longest time from a request to the broker until its first certificate.",
  },
} as const satisfies Record<string, Setting>;

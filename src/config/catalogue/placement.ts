/** Settings: what the proxy serves, and where it runs. */
import type { Setting } from "./setting.ts";

export const PLACEMENT = {
  PROXY_MODE: {
    syntax: "words",
    fallback: "shared",
    values: "`shared` or `dedicated`",
    text:
      "`shared` serves all pods of a node, as the CNI agent announces them. `dedicated` serves one workload or VM, " +
      "which `PROXY_WORKLOAD_INFO` names, with listeners in the proxy's own network namespace.",
  },
  PROXY_WORKLOAD_INFO: {
    syntax: "text",
    fallback: null,
    values: "`namespace/name/service-account`",
    text: "The workload that is served. Required with `PROXY_MODE=dedicated`, ignored otherwise.",
  },
  ENABLE_PROXY: {
    syntax: "bool",
    fallback: "true",
    text: "`false` opens no listener for traffic, so pods get DNS only.",
  },
  INPOD_UDS: {
    syntax: "text",
    fallback: "/var/run/ztunnel/ztunnel.sock",
    values: "path",
    text: "Unix socket of the CNI agent that announces pods (shared mode).",
  },
  INPOD_PORT_REUSE: {
    syntax: "bool",
    fallback: "true",
    text:
      "Lets an old and a new proxy listen on the same ports while one replaces the other. With `false` each pod is " +
      "served by one worker.",
  },
  AUTHORITY_WAIT: {
    syntax: "duration",
    fallback: "30s",
    origin: "ours",
    text:
      "Shared mode: how long pods wait for the first answer of the certificate authority. After that, pods that no " +
      "other proxy serves are served without it.",
  },
  NODE_NAME: {
    syntax: "text",
    fallback: null,
    text: "Name of this node. Certificates are fetched in advance for the workloads of this node only.",
  },
  NETWORK: {
    syntax: "text",
    fallback: "",
    text: "Istio network of this node. Workloads of other networks are reached through their east-west gateway.",
  },
  ISTIO_META_CLUSTER_ID: {
    syntax: "text",
    fallback: null,
    unset: "`CLUSTER_ID`",
    text: "Cluster id, sent to istiod and its CA with each call. It decides how istiod checks the token.",
  },
  CLUSTER_ID: {
    syntax: "text",
    fallback: "Kubernetes",
    text: "Cluster id where `ISTIO_META_CLUSTER_ID` is not set.",
  },
  CLUSTER_DOMAIN: {
    syntax: "text",
    fallback: "cluster.local",
    text: "Domain of the names of Kubernetes services. With SPIRE also the trust domain whose bundle must exist.",
  },
  TRUST_DOMAIN: {
    syntax: "text",
    fallback: "cluster.local",
    text: "Trust domain of the proxy's own identity. Those of workloads come from istiod.",
  },
  TRUST_DOMAIN_ALIASES: {
    syntax: "text",
    fallback: null,
    values: "names, separated by commas",
    unset: "`trustDomainAliases` of the mesh file",
    origin: "ours",
    text: "Other names of `TRUST_DOMAIN`. Peers may use any of them.",
  },
  POD_NAME: {
    syntax: "text",
    fallback: null,
    text:
      "Name of the proxy's own pod. With `POD_NAMESPACE` and `SERVICE_ACCOUNT` set too, the proxy has an identity of " +
      "its own.",
  },
  POD_NAMESPACE: { syntax: "text", fallback: null, text: "Namespace of the proxy's own pod." },
  SERVICE_ACCOUNT: { syntax: "text", fallback: null, text: "Service account of the proxy's own pod." },
  INSTANCE_IP: {
    syntax: "text",
    fallback: "1.1.1.1",
    values: "IP address",
    text: "Address of the proxy's own pod, part of the node id that istiod sees.",
  },
  PREFERED_SERVICE_NAMESPACE: {
    syntax: "text",
    fallback: null,
    text:
      "DNS: namespace whose service is preferred where several services have one hostname. (The name is spelled like this " +
      "in the Rust ztunnel too.)",
  },
  UNKNOWN_POLICIES: {
    syntax: "words",
    fallback: "deny",
    values: "`deny` or `skip`",
    origin: "ours",
    text:
      "What happens to a call to a workload that names a policy which has not arrived: it is denied until the policy " +
      "arrives, or the policy is skipped, as the Rust ztunnel does.",
  },
  LOCALHOST_APP_TUNNEL: {
    syntax: "bool",
    fallback: "true",
    text: "Sends traffic of an application tunnel (PROXY protocol) to the loopback address of the pod.",
  },
  ENABLE_RESPONSE_BAGGAGE: {
    syntax: "bool",
    fallback: "true",
    text: "Adds baggage, which describes the workload, to the answers of HBONE requests.",
  },
  PROXY_CONFIG: {
    syntax: "text",
    fallback: null,
    values: "YAML or JSON",
    text: "Istio's `ProxyConfig`, merged over `defaultConfig` of the mesh file. The keys `discoveryAddress`, " +
      "`proxyAdminPort`, `statsPort`, `concurrency` and `proxyMetadata` are used.",
  },
} as const satisfies Record<string, Setting>;

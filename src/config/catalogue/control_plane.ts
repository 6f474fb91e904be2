/** Settings: istiod, its certificate authority, and the static file. */
import type { Setting } from "./setting.ts";

const ISTIOD = "`https://istiod.istio-system.svc:15012` where `KUBERNETES_SERVICE_HOST` is set, else " +
  "`https://localhost:15012`";
const ROOTS = "path, `SYSTEM`, or PEM text";

export const CONTROL_PLANE = {
  XDS_ADDRESS: {
    syntax: "text",
    fallback: null,
    values: "`host:port`, `https://host:port` or `unix:///path`",
    unset: `\`discoveryAddress\` of the proxy configuration, else ${ISTIOD}`,
    text: "Where workloads, services and policies come from. The empty value turns this off.",
  },
  XDS_ROOT_CA: {
    syntax: "text",
    fallback: "./var/run/secrets/istio/root-cert.pem",
    values: ROOTS,
    text:
      "Root certificates that the XDS server's certificate must lead to. A file is read again for each connection. " +
      "`SYSTEM` means the system's store.",
  },
  ALT_XDS_HOSTNAME: {
    syntax: "text",
    fallback: null,
    values: "DNS name",
    text: "Another name that the XDS server's certificate may have.",
  },
  XDS_ON_DEMAND: {
    syntax: "bool",
    fallback: "false",
    text: "Asks istiod only for what pods call, not for the whole mesh. Requires `ISTIO_META_DNS_CAPTURE=false`.",
  },
  LOCAL_XDS_PATH: {
    syntax: "text",
    fallback: null,
    values: "path",
    text: "File with workloads, services and policies, read once at the start. Its syntax: " +
      "[config-admin.md](spec/config-admin.md), section 2.",
  },
  LOCAL_XDS: {
    syntax: "text",
    fallback: null,
    values: "YAML",
    text: "The same as text. Only one of the two may be set.",
  },
  CA_ADDRESS: {
    syntax: "text",
    fallback: null,
    values: "`host:port` or `https://host:port`",
    unset: ISTIOD,
    text: "Istio's certificate authority. Not used with SPIRE or `FAKE_CA=true`.",
  },
  CA_ROOT_CA: {
    syntax: "text",
    fallback: "./var/run/secrets/istio/root-cert.pem",
    values: ROOTS,
    text: "Root certificates that the CA server's certificate must lead to. A file is read again when it changes.",
  },
  ALT_CA_HOSTNAME: {
    syntax: "text",
    fallback: null,
    values: "DNS name",
    text: "Another name that the CA server's certificate may have.",
  },
  AUTH_TOKEN: {
    syntax: "text",
    fallback: null,
    values: "path, or the token itself",
    unset: "`./var/run/secrets/tokens/istio-token` where that file exists",
    text: "Bearer token of calls to istiod and its CA. A file is read for each call.",
  },
  SECRET_TTL: {
    syntax: "duration",
    fallback: "24h",
    text: "Life of the certificates that are requested from Istio's CA.",
  },
  KUBERNETES_SERVICE_HOST: {
    syntax: "text",
    fallback: null,
    text: "Set by Kubernetes in each pod. Its presence chooses the default of `XDS_ADDRESS` and `CA_ADDRESS`.",
  },
} as const satisfies Record<string, Setting>;

/** The environment of a proxy in scenarios: dedicated mode on loopback, no control plane, a CA in shared files. */
import { NAMESPACE, nodeOf } from "./mesh.ts";

export interface NodeSettings {
  /** Name of the workload. */
  readonly name: string;
  /** Where the listeners stand. SOCKS5 and admin are on 127.0.0.1. */
  readonly ip: string;
  /** Text of the static mesh. */
  readonly mesh: string;
  /** Holds the CA's files; proxies that trust each other share it. */
  readonly folder: string;
}

/** Every port is the kernel's choice. `more` replaces and adds variables. */
export function nodeSettings(
  { name, ip, mesh, folder }: NodeSettings,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    PROXY_MODE: "dedicated",
    PROXY_WORKLOAD_INFO: `${NAMESPACE}/${name}/${name}`,
    NODE_NAME: nodeOf(name),
    BIND_ADDRESS: ip,
    IPV6_ENABLED: "false",
    ENABLE_ORIG_SRC: "false",
    ISTIO_META_DNS_CAPTURE: "false",
    XDS_ADDRESS: "",
    LOCAL_XDS: mesh,
    FAKE_CA: "true",
    ...caFiles(folder),
    UNSTABLE_ENABLE_SOCKS5: "true",
    INBOUND_PORT: "0",
    SOCKS5_PORT: "0",
    OUTBOUND_PORT: "0",
    INBOUND_PLAINTEXT_PORT: "0",
    ADMIN_PORT: "0",
    STATS_PORT: "0",
    READINESS_PORT: "0",
    ZTUNNEL_WORKER_THREADS: "1",
    ...more,
  };
}

/** Both are made by the first proxy that needs them. */
export function caFiles(folder: string): { LOCAL_CA_CERT: string; LOCAL_CA_KEY: string } {
  return { LOCAL_CA_CERT: `${folder}/ca.pem`, LOCAL_CA_KEY: `${folder}/ca.key` };
}

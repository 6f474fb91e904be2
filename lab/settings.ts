/** The environment of a proxy in tests: dedicated mode on loopback, without a control plane, with a CA in files. */
import { NAMESPACE, nodeOf } from "./mesh.ts";

/** What differs between proxies. */
interface NodeSettings {
  /** The name of the workload. */
  readonly name: string;
  /** The address of the listeners, except for SOCKS5 and admin on 127.0.0.1. */
  readonly ip: string;
  /** The text of the static mesh. */
  readonly mesh: string;
  /** The folder of the CA's files; proxies that share it trust each other. */
  readonly folder: string;
}

/** Returns the variables. The kernel chooses all ports. `more`: further variables, which take precedence. */
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

/** Returns the variables of the CA's files, which the first proxy creates. */
export function caFiles(folder: string): { LOCAL_CA_CERT: string; LOCAL_CA_KEY: string } {
  return { LOCAL_CA_CERT: `${folder}/ca.pem`, LOCAL_CA_KEY: `${folder}/ca.key` };
}

/** The environment of a proxy whose control plane and CA is istiod. */
import type { Istiod } from "./istiod.ts";
import { serviceAccountToken } from "./istiod_token.ts";

/** The name in istiod's certificate. */
const ISTIOD = "istiod.istio-system.svc";

/** Returns the variables of a proxy in shared mode, which is pod `pod` of `istio-system` with account `ztunnel`. */
export function proxySettings(istiod: Istiod, pod: string, ip: string): Record<string, string> {
  return controlPlaneSettings(istiod, "istio-system", "ztunnel", pod, ip);
}

/** Returns the variables of any proxy. */
function controlPlaneSettings(
  { secure, rootFile }: Istiod,
  namespace: string,
  serviceAccount: string,
  pod: string,
  ip: string,
): Record<string, string> {
  const address = `https://${secure}`;
  return {
    XDS_ADDRESS: address,
    XDS_ROOT_CA: rootFile,
    ALT_XDS_HOSTNAME: ISTIOD,
    CA_ADDRESS: address,
    CA_ROOT_CA: rootFile,
    ALT_CA_HOSTNAME: ISTIOD,
    FAKE_CA: "false",
    AUTH_TOKEN: serviceAccountToken({ namespace, serviceAccount, pod }),
    POD_NAME: pod,
    POD_NAMESPACE: namespace,
    INSTANCE_IP: ip,
  };
}

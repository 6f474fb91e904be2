/** What an operator can do about a certificate that could not be fetched or renewed. */
import type { CertificateErrorCode } from "./authority.ts";

/** The cure in one sentence, by the code of the error. */
export const CERTIFICATE_CURES: Readonly<Record<CertificateErrorCode, string>> = {
  SIGNING: "Read the log of the certificate authority: it refused the request or could not sign.",
  SIGNING_REQUEST: "Restart the proxy; if this stays, report it, as the request is made by the proxy itself.",
  SAN_MISMATCH: "Compare the trust domain of the authority with TRUST_DOMAIN, and the service account of the pod.",
  EMPTY_RESPONSE: "Check that CA_ADDRESS leads to a certificate authority and not to another gRPC server.",
  INVALID_IDENTITY: "Check names of namespace and service account: together they must make a valid SPIFFE id.",
  INVALID_CERTIFICATE: "Check the authority's signing certificate: what it issued does not verify.",
  KEY_MISMATCH: "Check what is between proxy and authority: the answer belongs to another request.",
  EXPIRED: "Compare the clocks of this node and of the authority.",
  UNKNOWN_WORKLOAD: "Wait some seconds: the agent does not know the pod yet. If this stays, check the node's agent.",
  FORGOTTEN: "Nothing: the pod has left the node.",
  CLOSED: "Nothing: the proxy is stopping.",
  UNAVAILABLE: "Check that the certificate authority runs and can be reached from this node.",
  NO_ENTRY: "Create a SPIRE registration entry for this pod, with this node's agent as its parent.",
  DENIED: "Give this proxy the right to fetch certificates for others (SPIRE: authorized_delegates).",
  NO_PROCESS: "Wait until a container of the pod runs. If one does, check CONTAINER_RUNTIME_SOCK_PATH.",
  NO_BUNDLE: "Check that the authority has the trust bundle of this trust domain.",
  TIMEOUT: "Check the load of the certificate authority and the network to it.",
  CONFIGURATION: "Correct the setting that the message names.",
};

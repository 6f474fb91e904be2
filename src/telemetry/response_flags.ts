/** How a connection ended, as the label `response_flags` shows it (`docs/spec/dataplane.md` 7.4). */
export type ResponseFlag =
  /** Success, and connections closed by a drain. */
  | "-"
  /** Refused by a policy, at the beginning or later. */
  | "DENY"
  /** A failed dial, and every failure without its own flag. */
  | "CONNECT"
  /** No TLS settings could be made. A failed handshake is `CONNECT`. */
  | "TLS_FAILURE"
  /** HTTP/2 itself failed. */
  | "H2_HANDSHAKE_FAILURE"
  /** An HBONE peer did not answer, possibly because of a NetworkPolicy. */
  | "NETWORK_POLICY"
  /** There is no certificate for our own workload. */
  | "IDENTITY_ERROR"
  | "CERT_REVOKED";

/** The flag of success. */
export const NO_FLAG: ResponseFlag = "-";

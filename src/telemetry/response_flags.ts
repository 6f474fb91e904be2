/** How a connection ended, as the label `response_flags` says it (`docs/spec/dataplane.md` 7.4). */
export type ResponseFlag =
  /** Success, and connections cut by a drain. */
  | "-"
  /** Refused by a policy, at the start or later. */
  | "DENY"
  /** A failed dial, and everything without a flag of its own. */
  | "CONNECT"
  /** No TLS settings could be made. A failed handshake is `CONNECT`. */
  | "TLS_FAILURE"
  /** HTTP/2 itself failed. */
  | "H2_HANDSHAKE_FAILURE"
  /** An HBONE peer did not answer: a NetworkPolicy, perhaps. */
  | "NETWORK_POLICY"
  /** No certificate of our own. */
  | "IDENTITY_ERROR"
  | "CERT_REVOKED";

export const NO_FLAG: ResponseFlag = "-";

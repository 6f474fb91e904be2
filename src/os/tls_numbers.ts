/** Numbers of OpenSSL's `ssl.h`. The adapter of BoringSSL translates them. */

/** Commands of `SSL_CTX_ctrl`. */
export const Ctrl = {
  MODE: 33,
  READ_AHEAD: 41,
  SESSION_CACHE_MODE: 44,
  ADD_CHAIN_CERTIFICATE: 89,
  SET_GROUPS_LIST: 92,
  MIN_PROTOCOL: 123,
  MAX_PROTOCOL: 124,
} as const;

/** Command of `SSL_ctrl`. */
export const GET_NEGOTIATED_GROUP = 134;

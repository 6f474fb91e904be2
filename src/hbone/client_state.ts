/**
 * The states of a connection to a peer (`client_connection.ts`):
 *
 * ```
 *  AWAITING_CREDENTIAL ──DIAL──▶ DIALING ──HANDSHAKE──▶ HANDSHAKING
 *      │                                                 ▲   │
 *      └──────HANDSHAKE, over a stream that exists───────┘   │ PREFACE_SENT
 *                                                            ▼
 *       GOING_AWAY ◀──GOAWAY── OPEN ◀──SETTINGS── AWAITING_SETTINGS
 *           │                    │                      │
 *           └──────────┬─────────┴──────────────────────┘
 *                      │ HTTP2_ENDED
 *                      ▼
 *                    ENDED ──CLOSED──▶ CLOSED ◀──CLOSED: failure or `close`── from every state
 * ```
 * Requests may be sent from AWAITING_SETTINGS on. In ENDED the last frames are sent.
 */
export enum ClientState {
  AWAITING_CREDENTIAL,
  DIALING,
  HANDSHAKING,
  /** Our preface is sent; the peer's SETTINGS have not arrived. */
  AWAITING_SETTINGS,
  OPEN,
  /** The peer has sent GOAWAY: streams that are open go on, the peer takes no new ones. */
  GOING_AWAY,
  /** HTTP/2 has ended, the socket is still open. */
  ENDED,
  CLOSED,
}

export enum ClientTransition {
  DIAL,
  HANDSHAKE,
  PREFACE_SENT,
  SETTINGS,
  GOAWAY,
  HTTP2_ENDED,
  CLOSED,
}

/** The state after `transition`; the same state where the drawing has no such arrow. */
export function nextClientState(state: ClientState, transition: ClientTransition): ClientState {
  switch (transition) {
    case ClientTransition.DIAL:
      return state === ClientState.AWAITING_CREDENTIAL ? ClientState.DIALING : state;
    case ClientTransition.HANDSHAKE:
      return state < ClientState.HANDSHAKING ? ClientState.HANDSHAKING : state;
    case ClientTransition.PREFACE_SENT:
      return state === ClientState.HANDSHAKING ? ClientState.AWAITING_SETTINGS : state;
    case ClientTransition.SETTINGS:
      return state === ClientState.AWAITING_SETTINGS ? ClientState.OPEN : state;
    case ClientTransition.GOAWAY:
      return state === ClientState.OPEN ? ClientState.GOING_AWAY : state;
    case ClientTransition.HTTP2_ENDED:
      return hasHttp2(state) ? ClientState.ENDED : state;
    case ClientTransition.CLOSED:
      return ClientState.CLOSED;
    default:
      return transition satisfies never;
  }
}

/** No HTTP/2 yet: the connection is being made. */
export function isConnecting(state: ClientState): boolean {
  return state <= ClientState.HANDSHAKING;
}

/** HTTP/2 has begun and has not ended. */
export function hasHttp2(state: ClientState): boolean {
  return state >= ClientState.AWAITING_SETTINGS && state <= ClientState.GOING_AWAY;
}

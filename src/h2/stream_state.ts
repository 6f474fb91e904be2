/**
 * The states of a stream (RFC 9113 §5.1), without push:
 *
 * ```
 *              HEADERS sent or received
 *     idle ───────────────────────────────▶ OPEN
 *                                          │    │
 *                          END_STREAM sent │    │ END_STREAM received
 *                                          ▼    ▼
 *                       HALF_CLOSED_LOCAL          HALF_CLOSED_REMOTE
 *                                          │    │
 *                      END_STREAM received │    │ END_STREAM sent
 *                                          ▼    ▼
 *      RST_STREAM either way, from any ──▶ CLOSED
 * ```
 *
 * An idle stream has no object. A closed one is removed from the table of streams; `closed_streams.ts` records how it
 * was closed.
 */
export enum StreamState {
  OPEN,
  HALF_CLOSED_LOCAL,
  HALF_CLOSED_REMOTE,
  CLOSED,
}

export enum StreamEvent {
  END_SENT,
  END_RECEIVED,
  RESET,
}

/** The state after `event`; the same state when the event changes nothing. */
export function nextState(state: StreamState, event: StreamEvent): StreamState {
  switch (event) {
    case StreamEvent.END_SENT:
      if (state === StreamState.OPEN) return StreamState.HALF_CLOSED_LOCAL;
      return state === StreamState.HALF_CLOSED_REMOTE ? StreamState.CLOSED : state;
    case StreamEvent.END_RECEIVED:
      if (state === StreamState.OPEN) return StreamState.HALF_CLOSED_REMOTE;
      return state === StreamState.HALF_CLOSED_LOCAL ? StreamState.CLOSED : state;
    case StreamEvent.RESET:
      return StreamState.CLOSED;
    default:
      return event satisfies never;
  }
}

/** We may still send DATA. */
export function maySend(state: StreamState): boolean {
  return state === StreamState.OPEN || state === StreamState.HALF_CLOSED_REMOTE;
}

/** The peer may still send DATA. */
export function mayReceive(state: StreamState): boolean {
  return state === StreamState.OPEN || state === StreamState.HALF_CLOSED_LOCAL;
}

import { strict as assert } from "node:assert";
import { mayReceive, maySend, nextState, StreamEvent, StreamState } from "./stream_state.ts";

const { OPEN, HALF_CLOSED_LOCAL, HALF_CLOSED_REMOTE, CLOSED } = StreamState;
const TABLE: [StreamState, sent: StreamState, received: StreamState, send: boolean, receive: boolean][] = [
  [OPEN, HALF_CLOSED_LOCAL, HALF_CLOSED_REMOTE, true, true],
  [HALF_CLOSED_LOCAL, HALF_CLOSED_LOCAL, CLOSED, false, true],
  [HALF_CLOSED_REMOTE, CLOSED, HALF_CLOSED_REMOTE, true, false],
  [CLOSED, CLOSED, CLOSED, false, false],
];
for (const [state, sent, received, send, receive] of TABLE) {
  Deno.test(`stream state ${StreamState[state]}`, () => {
    assert.equal(nextState(state, StreamEvent.END_SENT), sent);
    assert.equal(nextState(state, StreamEvent.END_RECEIVED), received);
    assert.equal(nextState(state, StreamEvent.RESET), CLOSED);
    assert.deepEqual([maySend(state), mayReceive(state)], [send, receive]);
  });
}

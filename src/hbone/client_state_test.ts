import { strict as assert } from "node:assert";
import { ClientState, ClientTransition, hasHttp2, isConnecting, nextClientState } from "./client_state.ts";

const STATES = Object.values(ClientState).filter((state) => typeof state === "number");
const TRANSITIONS = Object.values(ClientTransition).filter((transition) => typeof transition === "number");

Deno.test("client state: every arrow of the drawing, and nothing else changes the state", () => {
  const { AWAITING_CREDENTIAL, DIALING, HANDSHAKING, AWAITING_SETTINGS, OPEN, GOING_AWAY, ENDED, CLOSED } = ClientState;
  const arrows: [ClientState, ClientTransition, ClientState][] = [
    [AWAITING_CREDENTIAL, ClientTransition.DIAL, DIALING],
    [AWAITING_CREDENTIAL, ClientTransition.HANDSHAKE, HANDSHAKING],
    [DIALING, ClientTransition.HANDSHAKE, HANDSHAKING],
    [HANDSHAKING, ClientTransition.PREFACE_SENT, AWAITING_SETTINGS],
    [AWAITING_SETTINGS, ClientTransition.SETTINGS, OPEN],
    [OPEN, ClientTransition.GOAWAY, GOING_AWAY],
    [AWAITING_SETTINGS, ClientTransition.HTTP2_ENDED, ENDED],
    [OPEN, ClientTransition.HTTP2_ENDED, ENDED],
    [GOING_AWAY, ClientTransition.HTTP2_ENDED, ENDED],
  ];
  for (const from of STATES) {
    for (const transition of TRANSITIONS) {
      const arrow = arrows.find(([state, by]) => state === from && by === transition);
      const to = transition === ClientTransition.CLOSED ? CLOSED : arrow?.[2] ?? from;
      assert.equal(nextClientState(from, transition), to, `${ClientState[from]} by ${ClientTransition[transition]}`);
    }
  }
});

Deno.test("client state: a connection is being made, has HTTP/2, or neither", () => {
  assert.deepEqual(STATES.filter(isConnecting), [
    ClientState.AWAITING_CREDENTIAL,
    ClientState.DIALING,
    ClientState.HANDSHAKING,
  ]);
  assert.deepEqual(STATES.filter(hasHttp2), [ClientState.AWAITING_SETTINGS, ClientState.OPEN, ClientState.GOING_AWAY]);
});

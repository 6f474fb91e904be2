/** Peers that the TLS library reports as secure although they have not proven an identity. */
import { strict as assert } from "node:assert";
import type { SecureEvents } from "../net/network.ts";
import type { TlsPeer } from "../net/tls_context.ts";
import { echo, Testbed } from "../dataplane/testkit/testbed.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2";

/** A call to a server whose TLS library reports wrong results; `spoil` changes them. */
function call(spoil: (events: SecureEvents) => SecureEvents) {
  const bed = new Testbed();
  bed.node("client", CLIENT);
  const server = bed.node("server", SERVER);
  const secure = server.host.secure.bind(server.host);
  server.host.secure = (plain, context, role, timeout, events) =>
    secure(plain, context, role, timeout, role === "server" ? spoil(events) : events);
  bed.listen(`${SERVER}:8080`, echo);
  const socket = bed.connect(CLIENT, `${SERVER}:8080`);
  socket.send("x");
  bed.run();
  if (socket.fate === "open") socket.end();
  bed.run();
  const outcome = { answer: socket.text, lines: server.access };
  bed.assertClean();
  return outcome;
}

Deno.test("inbound: a verified peer is served", () => {
  assert.equal(call((events) => events).answer, "x");
});

const WITHOUT: readonly (readonly [what: string, spoil: (events: SecureEvents) => SecureEvents])[] = [
  ["without verification of the peer", (events) => ({ ...pass(events), accept: () => null })],
  ["without a certificate", (events) => ({
    ...pass(events),
    accept: (chain) => events.accept!(chain),
    onSecure: (duplex, peer: TlsPeer) => events.onSecure(duplex, { ...peer, chain: [] }),
  })],
];

function pass(events: SecureEvents): SecureEvents {
  return {
    onSecure: (duplex, peer) => events.onSecure(duplex, peer),
    onSecureFailure: (ending) => events.onSecureFailure(ending),
  };
}

for (const [what, spoil] of WITHOUT) {
  Deno.test(`inbound: a handshake that completes ${what} is refused, whatever the TLS library reports`, () => {
    const { answer, lines } = call(spoil);
    assert.equal(answer, "");
    assert.match(lines.join("\n"), /the handshake ended without a certificate of the peer/);
  });
}

/** Secured streams pass the tests of the contract of all streams. */
import { strict as assert } from "node:assert";
import type { Duplex, Ending } from "../../src/net/duplex.ts";
import type * as net from "../../src/net/network.ts";
import type { ContractTest, Rig } from "../../src/net/testkit/contract_kit.ts";
import { endingContract, transferContract } from "../../src/net/testkit/contract_streams.ts";
import type { TlsLibrary } from "../../src/os/tls_library.ts";
import { client, library, server, TlsRig } from "./rig.ts";

/** A network whose connections are all secured, in both roles and `layers` times. */
function secured(rig: TlsRig, layers: number): Rig {
  const { network } = rig.sockets;
  const contexts = { client: rig.context(client), server: rig.context(server) };
  const secure = (plain: Duplex, role: "client" | "server", use: (duplex: Duplex) => void, below = 0) => {
    const onSecure = (duplex: Duplex) => below + 1 < layers ? secure(duplex, role, use, below + 1) : use(duplex);
    const onSecureFailure = ({ message }: Ending) => assert.fail(message);
    network.secure(plain, contexts[role], role, 10_000, { onSecure, onSecureFailure });
  };
  const listen: net.Network["listen"] = (at, accept) =>
    network.listen(at, (accepted) => secure(accepted.duplex, "server", (duplex) => accept({ ...accepted, duplex })));
  const dial: net.Network["dial"] = (to, options, events) =>
    network.dial(to, options, { ...events, onConnect: (plain) => secure(plain, "client", events.onConnect) });
  const handler: ProxyHandler<net.Network> = {
    get(target, name) {
      if (name === "listen") return listen;
      if (name === "dial") return dial;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  };
  return {
    network: new Proxy<net.Network>(network, handler),
    run: rig.sockets.run,
    close: () => rig[Symbol.asyncDispose](),
    loopback: rig.sockets.loopback,
  };
}

const OF_PLAIN_STREAMS: ReadonlySet<string> = new Set([
  // A write takes all or nothing, but part of a write that was not taken may have been sent.
  "a user that does not read stops the writer, and no byte is lost when it reads again",
  // A closed stream still reads for a second, so that the peer does not lose its last bytes by a reset.
  "closing with unread bytes resets the peer",
  "writing to a peer that has closed fails after some writes",
]);
const skipped = new Set<string>();

const contract = (name: string, layers: number, of: TlsLibrary): ContractTest => (what, body) => {
  if (OF_PLAIN_STREAMS.has(what)) return void skipped.add(what);
  Deno.test(`network contract, ${name}: ${what}`, async () => {
    const rig = secured(new TlsRig(of), layers);
    try {
      await body(rig);
    } finally {
      await rig.close();
    }
  });
};

// The second layer has no socket, as in double HBONE (`docs/spec/dataplane.md` 1.6). A library that hides the secrets of
// its sessions protects the records itself, as it does in TLS 1.2.
const closed: TlsLibrary = { ...library, showsSecrets: () => false };
for (const [kind, of] of [["", library], [", records of the library", closed]] as const) {
  for (const [name, layers] of [["TLS", 1], ["TLS within TLS", 2]] as const) {
    transferContract(contract(`${name}${kind}`, layers, of));
    endingContract(contract(`${name}${kind}`, layers, of));
  }
}

Deno.test("network contract, TLS: the tests that are left out are tests of the contract", () => {
  assert.deepEqual(skipped, OF_PLAIN_STREAMS);
});

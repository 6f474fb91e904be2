/** When a callback of OpenSSL throws, the session fails; when one of the user throws, the stream ends. Nothing leaks. */
import { strict as assert } from "node:assert";
import type { TlsLibrary } from "../../src/os/tls_library.ts";
import { client, library, server, type TlsRig, withTls } from "./rig.ts";

function bug(): never {
  throw new Error("a bug");
}

/** The library, with functions that throw when `broken`, and a count of its sessions. */
function libraryWithFaults(functions: readonly string[]) {
  const state = { broken: false, sessions: 0 };
  const wrap = (name: string, symbol: unknown): unknown => {
    if (typeof symbol !== "function") return symbol;
    return (...args: unknown[]) => {
      if (name === "SSL_new") state.sessions++;
      if (name === "SSL_free") state.sessions--;
      return state.broken && functions.includes(name) ? bug() : symbol(...args);
    };
  };
  const wrapAll = (symbols: object) =>
    Object.fromEntries(Object.entries(symbols).map(([name, symbol]) => [name, wrap(name, symbol)]));
  const of = { ...library, ssl: wrapAll(library.ssl), crypto: wrapAll(library.crypto) } as unknown as TlsLibrary;
  return { of, state };
}

for (const name of ["SSL_client_hello_get0_ext", "SSL_select_next_proto", "X509_STORE_CTX_get0_chain"]) {
  Deno.test(`TLS: ${name} throws inside of a callback, and only that handshake fails`, async () => {
    const { of, state } = libraryWithFaults([name]);
    await withTls(async (rig) => {
      const [theirContext, ourContext] = [rig.context(server), rig.context(client)];
      const { listener, outcomes, address } = rig.listen(theirContext);
      state.broken = true;
      await rig.connect(address, ourContext);
      await rig.sockets.run(() => outcomes.length > 0);
      // In production the two ends are different programs: the end that fails first gives the reason.
      const codes = outcomes.map(({ ending }) => ending?.code);
      assert.ok(codes[0] === "TLS_INTERNAL" || codes[0] === "TLS_ALERT", String(codes));
      state.broken = false;
      const good = await rig.connect(address, ourContext);
      assert.equal(good.ending, undefined);
      await rig.sockets.run(() => outcomes.length === 2);
      assert.equal(outcomes[1]!.ending, undefined);
      listener.close();
    }, of);
    assert.equal(state.sessions, 0);
  });
}

/** Runs until an error was thrown and reported, and removes it from the list. */
async function reported(rig: TlsRig): Promise<string> {
  const { errors } = rig.sockets;
  const watch = new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      if (errors.length === 0) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
  await watch;
  return errors.splice(0).join();
}

Deno.test("TLS: a user that throws in onSecure loses its stream, and is notified", async () => {
  const { of, state } = libraryWithFaults([]);
  await withTls(async (rig) => {
    const codes: string[] = [];
    const listener = rig.sockets.network.listen({ address: { ip: rig.sockets.loopback, port: 0 } }, ({ duplex }) => {
      rig.sockets.network.secure(duplex, rig.context(server), "server", 10_000, {
        onSecure: bug,
        onSecureFailure: ({ code }) => codes.push(code),
      });
    });
    const [, error] = await Promise.all([
      rig.connect(listener.local, rig.context(client)).catch(() => null),
      reported(rig),
    ]);
    assert.match(error, /a bug/);
    await rig.sockets.run(() => codes.length > 0);
    assert.deepEqual(codes, ["INTERNAL"]);
    listener.close();
  }, of);
  assert.equal(state.sessions, 0);
});

for (const kind of ["TLS", "TCP"] as const) {
  Deno.test(`${kind}: a user that throws in onReadable loses its stream, and is notified`, async () => {
    await withTls(async (rig) => {
      const codes: string[] = [];
      const sink = {
        onReadable: bug,
        onWritable() {},
        onFailure: ({ code }: { code: string }) => codes.push(code),
      };
      let peer;
      if (kind === "TLS") {
        const pair = await rig.pair(rig.context(client), rig.context(server));
        pair.server.start(sink);
        peer = pair.client;
      } else {
        const { network, loopback, run } = rig.sockets;
        const accepted: unknown[] = [];
        const listener = network.listen({ address: { ip: loopback, port: 0 } }, ({ duplex }) => {
          duplex.start(sink);
          accepted.push(duplex);
        });
        const dialled: import("../../src/net/duplex.ts").Duplex[] = [];
        network.dial(listener.local, {}, {
          onConnect: (duplex) => dialled.push(duplex),
          onDialFailure: () => assert.fail("cannot dial"),
        });
        await run(() => accepted.length + dialled.length === 2);
        listener.close();
        peer = dialled[0]!;
      }
      const ends: string[] = [];
      peer.start({ onReadable: () => ends.push("end"), onWritable() {}, onFailure: () => ends.push("failure") });
      peer.write(new TextEncoder().encode("hello"));
      assert.match(await reported(rig), /a bug/);
      assert.deepEqual(codes, ["INTERNAL"]);
      await rig.sockets.run(() => ends.length > 0);
      peer.close();
    });
  });
}

/** How secured streams and handshakes end when the network, the peer or the user fails. */
import { strict as assert } from "node:assert";
import type { SocketAddress } from "../../src/net/address.ts";
import { type Duplex, type Ending, FAILED } from "../../src/net/duplex.ts";
import { Idle, payloadOf, Pump } from "../../src/net/testkit/contract_kit.ts";
import type { SecureEvents } from "../../src/net/network.ts";
import { client, server, type TlsRig, withTls } from "./rig.ts";

const NOTHING = new Uint8Array(0);

/** A relay between client and server: it passes bytes on, changes them, or ends both connections by FIN. */
class TcpRelay {
  readonly #ends: Duplex[] = [];
  readonly #buffer = new Uint8Array(65_536);
  /** Changes the last byte of the next chunk. */
  corrupts = false;

  constructor(readonly rig: TlsRig, readonly to: SocketAddress) {}

  listen(): SocketAddress {
    const { network, loopback } = this.rig.sockets;
    const listener = network.listen({ address: { ip: loopback, port: 0 } }, ({ duplex }) => {
      listener.close();
      network.dial(this.to, {}, {
        onConnect: (target) => {
          this.#ends.push(duplex, target);
          this.#pass(duplex, target);
          this.#pass(target, duplex);
        },
        onDialFailure: (ending) => assert.fail(ending.message),
      });
    });
    return listener.local;
  }

  end(): void {
    for (const duplex of this.#ends) duplex.end();
  }

  close(): void {
    for (const duplex of this.#ends) duplex.close();
  }

  #pass(from: Duplex, to: Duplex): void {
    const onReadable = () => {
      const count = from.read(this.#buffer);
      if (count <= 0) return;
      if (this.corrupts) this.#buffer[count - 1]! ^= 1;
      this.corrupts = false;
      if (to.failure === null) to.write(this.#buffer.subarray(0, count));
    };
    from.start({ onReadable, onWritable() {}, onFailure() {} });
    if (from.readable) this.rig.sockets.network.nextTurn({ runTurn: onReadable });
  }
}

async function throughRelay(rig: TlsRig): Promise<{ relay: TcpRelay; client: Duplex; server: Duplex }> {
  const { listener, outcomes, address } = rig.listen(rig.context(server));
  const relay = new TcpRelay(rig, address);
  const ours = await rig.connect(relay.listen(), rig.context(client));
  await rig.sockets.run(() => outcomes.length > 0);
  listener.close();
  return { relay, client: ours.duplex!, server: outcomes[0]!.duplex! };
}

Deno.test("TLS: an end without close_notify is reported as TLS_EOF, after the data before it", () =>
  withTls(async (rig) => {
    const { relay, ...ends } = await throughRelay(rig);
    const reader = new Pump(rig.sockets.network, ends.server, NOTHING, { end: false });
    ends.client.start(new Idle());
    ends.client.write(payloadOf(1000, 1));
    await rig.sockets.run(() => reader.receivedBytes === 1000);
    relay.end();
    await rig.sockets.run(() => reader.failure !== null);
    assert.deepEqual([reader.failure?.code, reader.failure?.how, reader.failure?.by], ["TLS_EOF", "fin", "peer"]);
    assert.equal(ends.server.ended, false);
    assert.equal(reader.receivedBytes, 1000);
    relay.close();
  }));

Deno.test("TLS: a changed record breaks the stream, and the sender gets an alert", () =>
  withTls(async (rig) => {
    const { relay, ...ends } = await throughRelay(rig);
    const reader = new Pump(rig.sockets.network, ends.server, NOTHING, { end: false });
    const writer = new Pump(rig.sockets.network, ends.client, payloadOf(1000, 1), { end: false });
    await rig.sockets.run(() => reader.receivedBytes === 1000);
    relay.corrupts = true;
    ends.client.write(payloadOf(1000, 2));
    await rig.sockets.run(() => reader.failure !== null);
    assert.equal(reader.failure?.code, "TLS");
    assert.match(reader.failure!.message, /bad_record_mac/);
    assert.equal(reader.receivedBytes, 1000);
    ends.server.close();
    await rig.sockets.run(() => writer.failure !== null);
    assert.match(writer.failure!.message, /alert bad_record_mac/);
    relay.close();
  }));

// Writes of more than one record go through a buffer, smaller ones do not.
for (const size of [20_000, 1000]) {
  Deno.test(`TLS: bytes taken before close in writes of ${size} arrive, also at a slow reader`, () =>
    withTls(async (rig) => {
      const pair = await rig.pair(rig.context(client), rig.context(server));
      pair.client.start(new Idle());
      let taken = 0;
      for (let more = 1; more > 0; taken += more) more = pair.client.write(payloadOf(size, taken));
      pair.client.close();
      assert.equal(pair.client.write(NOTHING), FAILED);
      const reader = new Pump(rig.sockets.network, pair.server, NOTHING, { readSizes: [16_384] });
      await rig.sockets.run(() => reader.duplex.ended || reader.failure !== null);
      assert.ok(reader.receivedBytes >= taken, `${reader.receivedBytes} of ${taken} ${JSON.stringify(reader.failure)}`);
    }));
}

Deno.test("TLS: a small write that the socket refuses is repeated, and a large one can follow it", () =>
  withTls(async (rig) => {
    const pair = await rig.pair(rig.context(client), rig.context(server));
    const payload = payloadOf(16 << 20, 1);
    let sent = 0, refusals = 0, isRepeated = false;
    const write = () => {
      while (sent < payload.length) {
        // A repeated write offers the same bytes and more.
        const taken = pair.client.write(payload.subarray(sent, sent + (isRepeated ? 70_000 : 900)));
        assert.ok(taken >= 0, JSON.stringify(pair.client.failure));
        sent += taken;
        isRepeated = taken === 0;
        if (!isRepeated) continue;
        refusals++;
        return;
      }
      pair.client.end();
    };
    pair.client.start({ onReadable() {}, onWritable: write, onFailure: (ending) => assert.fail(ending.message) });
    write();
    const reader = new Pump(rig.sockets.network, pair.server, NOTHING, { readSizes: [16_384] });
    await rig.sockets.run(() => reader.duplex.ended);
    assert.ok(refusals > 1, `${refusals}`);
    assert.deepEqual(reader.bytes, payload);
  }));

Deno.test("TLS: a stream that lingers is closed at once when the peer resets", () =>
  withTls(async (rig) => {
    const pair = await rig.pair(rig.context(client), rig.context(server));
    pair.client.start(new Idle());
    while (pair.client.write(payloadOf(20_000, 1)) > 0);
    pair.client.close();
    pair.server.close(true);
  }));

/** Runs a handshake whose client calls `accept` for the server's path, and aborts it there when `abort` is set. */
async function withAccept(rig: TlsRig, accept: NonNullable<SecureEvents["accept"]>, abort: boolean): Promise<Ending[]> {
  const { listener, outcomes, address } = rig.listen(rig.context(server));
  const failures: Ending[] = [];
  rig.sockets.network.dial(address, {}, {
    onConnect: (duplex) => {
      const dial = rig.sockets.network.secure(duplex, rig.context(client), "client", 10_000, {
        accept: (chain) => {
          if (abort) dial.abort();
          return accept(chain);
        },
        onSecure: () => assert.fail("secured"),
        onSecureFailure: (ending) => failures.push(ending),
      });
    },
    onDialFailure: (ending) => assert.fail(ending.message),
  });
  await rig.sockets.run(() => outcomes.length > 0);
  listener.close();
  return failures;
}

Deno.test("TLS: a handshake that is aborted by its accept callback has no event", () =>
  withTls(async (rig) => {
    assert.deepEqual(await withAccept(rig, () => null, true), []);
    assert.deepEqual(await withAccept(rig, () => ({ code: "X", message: "x" }), true), []);
  }));

Deno.test("TLS: an accept callback that throws refuses the peer", () =>
  withTls(async (rig) => {
    const [failure] = await withAccept(rig, () => {
      throw new Error("a bug");
    }, false);
    assert.equal(failure?.code, "TLS_REFUSED");
    assert.equal(failure?.message, "the verifier failed: a bug");
  }));

Deno.test("identity T3: the accept callback of a connection replaces that of the context", () =>
  withTls(async (rig) => {
    const refusal = { code: "SAN_MISMATCH", message: "did not present the expected SAN (a), got b" };
    const [failure] = await withAccept(rig, () => refusal, false);
    assert.deepEqual(failure, { by: "us", how: "error", ...refusal });
  }));

/** Calls `secure` on a bad stream or with a closed context. Returns the failure, which must come after the call. */
async function failureOf(rig: TlsRig, prepare: (duplex: Duplex) => void, closedContext = false): Promise<Ending> {
  const context = rig.context(client);
  if (closedContext) context.close();
  const { network, loopback, run } = rig.sockets;
  const failures: Ending[] = [];
  const listener = network.listen({ address: { ip: loopback, port: 0 } }, ({ duplex }) => duplex.close());
  network.dial(listener.local, {}, {
    onConnect: (duplex) => {
      prepare(duplex);
      network.secure(duplex, context, "client", 10_000, {
        onSecure: () => assert.fail("secured"),
        onSecureFailure: (ending) => failures.push(ending),
      });
      assert.equal(failures.length, 0);
    },
    onDialFailure: (ending) => assert.fail(ending.message),
  });
  await run(() => failures.length > 0);
  listener.close();
  return failures[0]!;
}

Deno.test("TLS: a handshake fails with a closed context, and on a closed stream", () =>
  withTls(async (rig) => {
    assert.equal((await failureOf(rig, () => {}, true)).code, "TLS_SETTINGS");
    assert.equal((await failureOf(rig, (duplex) => duplex.close())).code, "CLOSED");
  }));

Deno.test("TLS: an aborted handshake has no event, also when it had failed already", () =>
  withTls(async (rig) => {
    const { network, loopback, run } = rig.sockets;
    const accepted: Duplex[] = [];
    const listener = network.listen({ address: { ip: loopback, port: 0 } }, ({ duplex }) => accepted.push(duplex));
    const context = rig.context(client);
    const silent: SecureEvents = {
      onSecure: () => assert.fail("secured"),
      onSecureFailure: (ending) => assert.fail(ending.message),
    };
    network.dial(listener.local, {}, {
      onConnect: (duplex) => {
        const dial = network.secure(duplex, context, "client", 1, silent);
        dial.abort();
        dial.abort();
        duplex.close();
        network.secure(duplex, context, "client", 1, silent).abort();
      },
      onDialFailure: (ending) => assert.fail(ending.message),
    });
    let later = false;
    await run(() => accepted.length > 0);
    network.after(20, () => later = true);
    await run(() => later);
    accepted[0]!.close();
    listener.close();
  }));

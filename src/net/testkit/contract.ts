/**
 * The contract of `network.ts` and `duplex.ts`: tests that each {@link Network} must pass, on real sockets and in memory.
 * They wait for conditions and do not measure times.
 */
import { strict as assert } from "node:assert";
import { type Ip, LOOPBACK_V4, LOOPBACK_V6, sameAddress } from "../address.ts";
import { ListenError } from "../network.ts";
import { datagramContract } from "./contract_datagrams.ts";
import { schedulerContract } from "./contract_scheduler.ts";
import { assertSameBytes, connect, type ContractTest, dial, Pump, type Rig, tryDial } from "./contract_kit.ts";
import { endingContract, transferContract } from "./contract_streams.ts";

/** Registers the tests for one implementation. `make` is called for each test. */
export function networkContract(name: string, make: () => Promise<Rig>): void {
  const test = (what: string, body: (rig: Rig) => Promise<void>) =>
    Deno.test(`network contract, ${name}: ${what}`, async () => {
      const rig = await make();
      try {
        await body(rig);
      } finally {
        await rig.close();
      }
    });
  schedulerContract(test);
  listenContract(test);
  dialContract(test);
  transferContract(test);
  endingContract(test);
  datagramContract(test);
}

const HELLO = new TextEncoder().encode("hello");
const NOTHING = new Uint8Array(0);

function listenContract(test: ContractTest): void {
  test("with port 0 the kernel chooses one, and both ends report the same addresses", async (rig) => {
    const { client, server, address } = await connect(rig);
    assert.ok(address.port > 0);
    assert.equal(address.ip, rig.loopback);
    assert.ok(sameAddress(client.remote, address));
    assert.ok(sameAddress(server.local, address));
    assert.ok(sameAddress(server.remote, client.local));
    client.close();
    server.close();
  });

  test("a port in use is a ListenError EADDRINUSE that names the address", async (rig) => {
    const listener = rig.network.listen({ address: { ip: rig.loopback, port: 0 } }, () => {});
    assert.throws(() => rig.network.listen({ address: listener.local }, () => {}), (error) => {
      assert.ok(error instanceof ListenError);
      assert.equal(error.code, "EADDRINUSE");
      assert.match(error.message, /^failed to bind to address .*: Address already in use \(os error 98\)$/);
      assert.ok(sameAddress(error.address, listener.local));
      return true;
    });
    listener.close();
    await Promise.resolve();
  });

  test("SO_REUSEPORT lets two listeners share a port", async (rig) => {
    let accepted = 0;
    const accept = ({ duplex }: { duplex: { close(): void } }) => {
      accepted++;
      duplex.close();
    };
    const one = rig.network.listen({ address: { ip: rig.loopback, port: 0 }, reusePort: true }, accept);
    const two = rig.network.listen({ address: one.local, reusePort: true }, accept);
    const client = await dial(rig, one.local);
    await rig.run(() => accepted === 1);
    client.close();
    one.close();
    two.close();
  });

  test("a closed listener accepts nothing, its accepted connections continue, and it can be closed again", async (rig) => {
    const { client, server, address } = await connect(rig);
    // The descriptor may be open until the end of the turn. A connection before that would be reset and not refused.
    await aTurn(rig);
    const outcome = await tryDial(rig, address);
    assert.ok("ending" in outcome);
    assert.equal(outcome.ending.code, "ECONNREFUSED");
    const left = new Pump(rig.network, client, HELLO);
    const right = new Pump(rig.network, server, NOTHING);
    await rig.run(() => left.done && right.done);
    assertSameBytes(right.bytes, HELLO);
    client.close();
    server.close();
  });

  test("a listener may be closed from its own accept callback", async (rig) => {
    let accepted = 0;
    const listener = rig.network.listen({ address: { ip: rig.loopback, port: 0 } }, ({ duplex }) => {
      accepted++;
      listener.close();
      duplex.close();
    });
    const client = await dial(rig, listener.local);
    await rig.run(() => accepted === 1);
    client.close();
    listener.close();
  });

  for (const ip of [LOOPBACK_V4, LOOPBACK_V6]) {
    test(`echo over ${ip}`, (rig) => skipWithoutFamily(() => echo(rig, ip)));
  }

  test("without redirection there is no original destination, or it is the local address", async (rig) => {
    const { client, server, accepted } = await connect(rig);
    const original = accepted.originalDestination();
    assert.ok(original === null || sameAddress(original, server.local));
    client.close();
    server.close();
  });
}

async function aTurn({ network, run }: Rig): Promise<void> {
  const before = network.turn;
  network.nextTurn({ runTurn() {} });
  await run(() => network.turn > before);
}

async function echo(rig: Rig, ip: Ip): Promise<void> {
  const { client, server } = await connect(rig, ip);
  const caller = new Pump(rig.network, client, HELLO);
  const receiver = new Pump(rig.network, server, NOTHING, { end: false });
  await rig.run(() => receiver.duplex.ended);
  assert.equal(server.write(receiver.bytes), HELLO.length);
  server.end();
  server.close();
  await rig.run(() => caller.done);
  assertSameBytes(caller.bytes, HELLO);
}

/** Ignores that a machine has no IPv6. */
async function skipWithoutFamily(body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof ListenError && ["EADDRNOTAVAIL", "EAFNOSUPPORT"].includes(error.code))) throw error;
  }
}

function dialContract(test: ContractTest): void {
  test("a refused dial ends with ECONNREFUSED", async (rig) => {
    // Port 1 is outside of the ephemeral range: a dial to a port inside could connect to itself.
    const outcome = await tryDial(rig, { ip: rig.loopback, port: 1 });
    assert.ok("ending" in outcome);
    assert.equal(outcome.ending.code, "ECONNREFUSED");
    assert.match(outcome.ending.message, /^Connection refused/);
  });

  test("an aborted dial has no event, and can be aborted again", async (rig) => {
    const listener = rig.network.listen({ address: { ip: rig.loopback, port: 0 } }, ({ duplex }) => duplex.close());
    const events: string[] = [];
    const begun = rig.network.dial(listener.local, {}, {
      onConnect: () => events.push("connected"),
      onDialFailure: () => events.push("failed"),
    });
    begun.abort();
    begun.abort();
    // When a later dial has succeeded, an event of the first one would have come already.
    const second = await dial(rig, listener.local);
    assert.deepEqual(events, []);
    second.close();
    listener.close();
  });

  test("a dial without an answer ends with DIAL_TIMEOUT", async (rig) => {
    if (rig.blackhole === undefined) return;
    const outcome = await tryDial(rig, rig.blackhole, { timeout: 50 });
    assert.ok("ending" in outcome);
    assert.equal(outcome.ending.code, "DIAL_TIMEOUT");
    assert.equal(outcome.ending.how, "timeout");
    assert.equal(outcome.ending.message, "deadline has elapsed");
  });

  test("a dial that begins anew without an answer ends at its own time limit", async (rig) => {
    if (rig.blackhole === undefined) return;
    const outcome = await tryDial(rig, rig.blackhole, { timeout: 50, attemptTimeout: 20 });
    assert.ok("ending" in outcome);
    assert.equal(outcome.ending.code, "DIAL_TIMEOUT");
  });

  test("a dial without an answer can be aborted", async (rig) => {
    if (rig.blackhole === undefined) return;
    const events: string[] = [];
    const begun = rig.network.dial(rig.blackhole, { timeout: 1 }, {
      onConnect: () => events.push("connected"),
      onDialFailure: () => events.push("failed"),
    });
    begun.abort();
    let later = false;
    rig.network.after(20, () => later = true);
    await rig.run(() => later);
    assert.deepEqual(events, []);
  });

  test("a source address is bound before connecting", async (rig) => {
    const listener = rig.network.listen({ address: { ip: rig.loopback, port: 0 } }, ({ duplex }) => duplex.close());
    const client = await dial(rig, listener.local, { source: { ip: rig.loopback, port: 0 } });
    assert.equal(client.local.ip, rig.loopback);
    client.close();
    listener.close();
  });
}

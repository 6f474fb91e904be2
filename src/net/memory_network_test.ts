import { strict as assert } from "node:assert";
import { LOOPBACK_V4, LOOPBACK_V6, parseSocketAddress, type SocketAddress } from "./address.ts";
import { type Duplex, type Ending, FAILED } from "./duplex.ts";
import { seededChunks } from "./testkit/memory_duplex.ts";
import { MemoryNetwork, type MemoryNetworkOptions } from "./testkit/memory_network.ts";
import { type Accepted, type DialOptions, type ListenAt, ListenError } from "./network.ts";
import { networkContract } from "./testkit/contract.ts";
import { Idle, type Rig } from "./testkit/contract_kit.ts";

function rig(options: MemoryNetworkOptions, loopback = LOOPBACK_V4): () => Promise<Rig> {
  return () => {
    const network = new MemoryNetwork(options);
    const blackhole = parseSocketAddress("192.0.2.1:80")!;
    network.blackhole(blackhole);
    const run = (until: () => boolean) => network.run(until);
    return Promise.resolve({ network, run, close: () => Promise.resolve(), loopback, blackhole });
  };
}

networkContract("memory", rig({}));
networkContract("memory with small buffers and random reads", rig({ bufferBytes: 5000, chunking: seededChunks(7) }));
networkContract("memory over IPv6", rig({}, LOOPBACK_V6));

const PORT = 15_001;

function at(text: string): SocketAddress {
  const address = parseSocketAddress(text);
  assert.ok(address !== null);
  return address;
}

/** A listener that keeps what it accepts. */
function keep(network: MemoryNetwork, address: string, options: Partial<ListenAt> = {}): Accepted[] {
  const accepted: Accepted[] = [];
  network.listen({ ...options, address: at(address) }, (connection) => accepted.push(connection));
  return accepted;
}

function dialled(network: MemoryNetwork, to: string, options: DialOptions = {}): (Duplex | Ending)[] {
  const outcome: (Duplex | Ending)[] = [];
  network.dial(at(to), options, {
    onConnect: (duplex) => outcome.push(duplex),
    onDialFailure: (ending) => outcome.push(ending),
  });
  network.runUntilIdle();
  return outcome;
}

function connected(outcome: (Duplex | Ending)[]): Duplex {
  const [duplex] = outcome;
  assert.ok(duplex !== undefined && "read" in duplex, JSON.stringify(outcome));
  return duplex;
}

Deno.test("memory network: each namespace has its own ports; all reach assigned addresses", () => {
  const network = new MemoryNetwork();
  network.assign(1, at("10.0.0.1:0").ip);
  network.assign(2, at("10.0.0.2:0").ip);
  const one = keep(network, "[::]:15008", { namespace: 1 });
  const two = keep(network, "[::]:15008", { namespace: 2 });
  const client = connected(dialled(network, "10.0.0.2:15008", { namespace: 1 }));
  assert.equal(client.local.ip, "10.0.0.1");
  assert.deepEqual([one.length, two.length], [0, 1]);
  assert.deepEqual(two[0]?.duplex.remote, client.local);
  assert.deepEqual(two[0]?.duplex.local, at("10.0.0.2:15008"));
  connected(dialled(network, "127.0.0.1:15008", { namespace: 1 }));
  connected(dialled(network, "10.0.0.1:15008", { namespace: 1 }));
  connected(dialled(network, "10.0.0.1:15008"));
  assert.deepEqual([one.length, two.length], [3, 1]);
  const [refused] = dialled(network, "127.0.0.1:15008");
  assert.ok(refused !== undefined && "code" in refused && refused.code === "ECONNREFUSED");
});

Deno.test("memory network: a wildcard accepts any address of its family, unless another listener has the exact one", () => {
  const network = new MemoryNetwork();
  const v4 = keep(network, "0.0.0.0:80");
  const v6 = keep(network, "[::]:80", { dualStack: false });
  connected(dialled(network, "10.1.2.3:80"));
  connected(dialled(network, "[2001:db8::1]:80"));
  assert.deepEqual([v4.length, v6.length], [1, 1]);
  assert.throws(() => keep(network, "10.1.2.3:80"), ListenError);
  const shared = keep(network, "[::]:81", { reusePort: true });
  const exact = keep(network, "10.1.2.3:81", { reusePort: true });
  connected(dialled(network, "10.1.2.3:81"));
  connected(dialled(network, "10.1.2.4:81"));
  assert.deepEqual([shared.length, exact.length], [1, 1]);
});

Deno.test("memory network: a redirected dial reaches another listener and keeps its original destination", () => {
  const network = new MemoryNetwork();
  const capture = keep(network, `127.0.0.1:${PORT}`);
  const direct = keep(network, "10.9.9.9:443");
  network.redirect(({ to, mark }) => mark === 1337 || to.port === PORT ? null : at(`127.0.0.1:${PORT}`));
  const client = connected(dialled(network, "10.9.9.9:443"));
  assert.deepEqual(client.remote, at("10.9.9.9:443"));
  assert.deepEqual(capture[0]?.originalDestination(), at("10.9.9.9:443"));
  assert.deepEqual(capture[0]?.duplex.local, at(`127.0.0.1:${PORT}`));
  connected(dialled(network, "10.9.9.9:443", { mark: 1337 }));
  assert.equal(direct[0]?.originalDestination(), null);
});

Deno.test("memory network: a dial to a black hole ends at its time limit, by default after 10 s", () => {
  const network = new MemoryNetwork();
  network.blackhole(at("10.0.0.9:80"));
  const outcome = dialled(network, "10.0.0.9:80");
  network.advance(9999);
  assert.deepEqual(outcome, []);
  network.advance(1);
  assert.deepEqual(outcome, [{ by: "us", how: "timeout", code: "DIAL_TIMEOUT", message: "deadline has elapsed" }]);
});

Deno.test("memory network: an address that answers again is reached by the next attempt", () => {
  const network = new MemoryNetwork();
  network.listen({ address: at("10.0.0.9:80") }, () => {});
  network.blackhole(at("10.0.0.9:80"));
  const outcome = dialled(network, "10.0.0.9:80", { timeout: 30_000, attemptTimeout: 5000 });
  network.advance(21_000);
  network.restore(at("10.0.0.9:80"));
  network.advance(3999);
  assert.deepEqual(outcome, []);
  network.advance(1);
  connected(outcome);
});

Deno.test("memory network: a dial keeps its source address, unless that is of the other family", () => {
  const network = new MemoryNetwork();
  const accepted = keep(network, "[::]:80");
  connected(dialled(network, "10.0.0.1:80", { source: at("10.7.7.7:0") }));
  connected(dialled(network, "10.0.0.1:80", { source: at("[2001:db8::7]:0") }));
  assert.deepEqual(accepted.map(({ duplex }) => duplex.remote.ip), ["10.7.7.7", "10.0.0.1"]);
});

Deno.test("memory network: a connection in the backlog of a closed listener is reset", () => {
  const network = new MemoryNetwork();
  const listener = network.listen({ address: at("10.0.0.1:80") }, () => assert.fail("accepted"));
  const outcome: (Duplex | Ending)[] = [];
  network.dial(at("10.0.0.1:80"), {}, {
    onConnect: (duplex) => outcome.push(duplex),
    onDialFailure: (ending) => outcome.push(ending),
  });
  network.step();
  listener.close();
  network.runUntilIdle();
  const sink = new Idle();
  connected(outcome).start(sink);
  network.runUntilIdle();
  assert.equal(sink.failure?.code, "ECONNRESET");
});

Deno.test("memory network: a dial that is aborted before onConnect closes its connection", () => {
  const network = new MemoryNetwork();
  const accepted = keep(network, "10.0.0.1:80");
  const begun = network.dial(at("10.0.0.1:80"), {}, {
    onConnect: () => assert.fail("connected"),
    onDialFailure: () => assert.fail("failed"),
  });
  network.step();
  begun.abort();
  network.runUntilIdle();
  assert.equal(accepted[0]?.duplex.read(new Uint8Array(1)), 0);
  assert.equal(accepted[0]?.duplex.ended, true);
});

Deno.test("memory network: listeners are transparent if that is allowed", () => {
  const able = new MemoryNetwork();
  const unable = new MemoryNetwork({ transparent: false });
  const address = at("0.0.0.0:15006");
  assert.ok(able.listen({ address, transparent: "require" }, () => {}).transparent);
  assert.ok(!unable.listen({ address, transparent: "try" }, () => {}).transparent);
  assert.throws(
    () => unable.listen({ address: at("0.0.0.0:15008"), transparent: "require" }, () => {}),
    (error) => error instanceof ListenError && error.code === "EPERM",
  );
});

Deno.test("memory network: faults can be injected", () => {
  const network = new MemoryNetwork();
  const [a, b] = network.pair();
  a.start(new Idle());
  network.failWrites(a);
  assert.equal(a.write(Uint8Array.of(1)), FAILED);
  assert.equal(a.failure?.code, "EPIPE");
  const sink = new Idle();
  b.start(sink);
  const gone: Ending = {
    by: "system",
    how: "timeout",
    code: "ETIMEDOUT",
    message: "Connection timed out (os error 110)",
  };
  network.breakStream(b, gone);
  network.runUntilIdle();
  assert.equal(sink.failure, gone);
});

Deno.test("memory network: a notification is not repeated while the user has not read everything", () => {
  const network = new MemoryNetwork();
  const [a, b] = network.pair();
  const sink = new Idle();
  b.start(sink);
  for (let i = 0; i < 3; i++) {
    a.write(Uint8Array.of(i));
    network.runUntilIdle();
  }
  assert.equal(sink.readable, 1);
  assert.equal(b.read(new Uint8Array(2)), 2);
  assert.ok(b.readable, "a read that was filled cannot know that nothing is left");
  assert.equal(b.read(new Uint8Array(2)), 1);
  assert.ok(!b.readable);
  a.end();
  network.runUntilIdle();
  assert.equal(sink.readable, 2);
});

Deno.test("memory network: no time passes while there is work, and then it advances to the next timer", () => {
  const network = new MemoryNetwork();
  const seen: number[] = [];
  const again = () => {
    seen.push(network.now());
    if (seen.length < 3) network.after(100, again);
  };
  network.after(50, again);
  network.runUntilIdle();
  assert.deepEqual(seen, []);
  network.advance(260);
  assert.deepEqual(seen, [50, 150, 250]);
  assert.equal(network.now(), 260);
});

Deno.test("memory network: settle runs promises at the virtual time at which they were settled", async () => {
  const network = new MemoryNetwork();
  const seen: number[] = [];
  const sleep = (ms: number) => new Promise<void>((resolve) => network.after(ms, resolve));
  const work = (async () => {
    for (let i = 0; i < 3; i++) {
      await sleep(100);
      await null;
      seen.push(network.now());
    }
  })();
  await network.settle(250);
  assert.deepEqual(seen, [100, 200]);
  assert.equal(network.now(), 250);
  await network.settle(50);
  await work;
  assert.deepEqual(seen, [100, 200, 300]);
});

Deno.test("memory network: an error of a callback is thrown to the test, and the rest still runs", () => {
  const network = new MemoryNetwork();
  const ran: string[] = [];
  network.nextTurn({ runTurn: () => assert.fail("boom") });
  network.nextTurn({ runTurn: () => void ran.push("next") });
  network.atTurnEnd({ runTurn: () => void ran.push("end") });
  assert.throws(() => network.runUntilIdle(), /boom/);
  network.runUntilIdle();
  assert.deepEqual(ran, ["next", "end"]);
});

Deno.test("memory network: run rejects when its condition cannot hold any more", async () => {
  await assert.rejects(new MemoryNetwork().run(() => false), /Nothing is left to run/);
});

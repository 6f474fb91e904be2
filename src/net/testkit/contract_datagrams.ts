/** The part of the network contract for datagrams. */
import { strict as assert } from "node:assert";
import {
  ANY_V4,
  ANY_V6,
  type Ip,
  isIpv4,
  LOOPBACK_V4,
  LOOPBACK_V6,
  sameAddress,
  type SocketAddress,
} from "../address.ts";
import { type DatagramSocket, ListenError, type UdpAt } from "../network.ts";
import { assertSameBytes, type ContractTest, payloadOf, type Rig } from "./contract_kit.ts";

interface Received {
  readonly bytes: Uint8Array;
  readonly from: SocketAddress;
}

/** Opens a socket that records what it receives. */
function open(rig: Rig, ip: Ip = rig.loopback, options: Partial<UdpAt> = {}) {
  const received: Received[] = [];
  const socket = rig.network.udp({ ...options, address: options.address ?? { ip, port: 0 } }, {
    onDatagram: (bytes, from) => received.push({ bytes: bytes.slice(), from }),
  });
  return { socket, received };
}

const HELLO = new TextEncoder().encode("hello");

/** Registers the tests of `Network.udp`. */
export function datagramContract(test: ContractTest): void {
  test("datagrams of any length arrive whole and with their source, in both directions", async (rig) => {
    const client = open(rig);
    const server = open(rig);
    assert.ok(server.socket.local.port > 0);
    assert.equal(server.socket.local.ip, rig.loopback);
    const sent = [HELLO, new Uint8Array(0), payloadOf(20_000, 8), payloadOf(1, 9)];
    for (const bytes of sent) assert.ok(client.socket.send(bytes, server.socket.local));
    await rig.run(() => server.received.length === sent.length);
    server.received.forEach(({ bytes, from }, i) => {
      assertSameBytes(bytes, sent[i]!);
      assert.ok(sameAddress(from, client.socket.local));
    });
    assert.ok(server.socket.send(HELLO, server.received[0]!.from));
    await rig.run(() => client.received.length === 1);
    assert.ok(sameAddress(client.received[0]!.from, server.socket.local));
    client.socket.close();
    server.socket.close();
  });

  test("a closed or retired socket does not receive, and inspect reports that", async (rig) => {
    const [closed, retired] = [open(rig), open(rig)];
    for (const { socket } of [closed, retired]) assert.equal(socket.inspect().listening, true);
    closed.socket.close();
    retired.socket.retire();
    for (const { socket } of [closed, retired]) {
      assert.deepEqual(socket.inspect(), { listening: false, namespace: null });
    }
    retired.socket.close();
    await rig.run(() => true);
  });

  test("more datagrams than fit into one turn all arrive", async (rig) => {
    const client = open(rig);
    const server = open(rig);
    for (let i = 0; i < 200; i++) assert.ok(client.socket.send(Uint8Array.of(i), server.socket.local));
    await rig.run(() => server.received.length === 200);
    assert.deepEqual(server.received.map(({ bytes }) => bytes[0]), Array.from({ length: 200 }, (_, i) => i));
    client.socket.close();
    server.socket.close();
  });

  test("a datagram that is too long, or for another family, is not sent", (rig) => {
    const { socket } = open(rig);
    assert.equal(socket.send(new Uint8Array(65_536), socket.local), false);
    const other = isIpv4(rig.loopback) ? { ip: LOOPBACK_V6, port: 53 } : null;
    if (other !== null) assert.equal(socket.send(HELLO, other), false);
    socket.close();
    return Promise.resolve();
  });

  test("a datagram to a port without a socket is lost, and the sender still works", async (rig) => {
    const { socket, received } = open(rig);
    assert.ok(socket.send(HELLO, { ip: rig.loopback, port: 1 }));
    assert.ok(socket.send(HELLO, socket.local));
    await rig.run(() => received.length === 1);
    assertSameBytes(received[0]!.bytes, HELLO);
    socket.close();
  });

  test("a UDP port in use is a ListenError, unless both sockets set SO_REUSEPORT", (rig) => {
    const one = open(rig, rig.loopback, { reusePort: true });
    const address = one.socket.local;
    assert.throws(() => open(rig, rig.loopback, { address }), (error) => {
      assert.ok(error instanceof ListenError);
      assert.equal(error.code, "EADDRINUSE");
      assert.match(error.message, /^failed to bind to address /);
      return true;
    });
    open(rig, rig.loopback, { address, reusePort: true }).socket.close();
    one.socket.close();
    return Promise.resolve();
  });

  test("`::` receives from both families and answers them; without dual stack it has IPv6 only", async (rig) => {
    const server = open(rig, ANY_V6);
    const port = server.socket.local.port;
    for (const ip of [LOOPBACK_V4, LOOPBACK_V6]) {
      const client = open(rig, ip);
      const before = server.received.length;
      assert.ok(client.socket.send(HELLO, { ip, port }));
      await rig.run(() => server.received.length > before);
      const { from } = server.received.at(-1)!;
      assert.ok(sameAddress(from, client.socket.local));
      assert.ok(server.socket.send(HELLO, from));
      await rig.run(() => client.received.length === 1);
      assert.ok(sameAddress(client.received[0]!.from, { ip, port }));
      client.socket.close();
    }
    server.socket.close();
    const single = open(rig, ANY_V6, { dualStack: false });
    assert.equal(single.socket.send(HELLO, { ip: LOOPBACK_V4, port }), false);
    open(rig, ANY_V4, { address: { ip: ANY_V4, port: single.socket.local.port } }).socket.close();
    single.socket.close();
  });

  test("a connected socket has its own port, sends to its peer only, and receives only from it", async (rig) => {
    const peer = open(rig);
    const other = open(rig);
    const any = isIpv4(rig.loopback) ? ANY_V4 : ANY_V6;
    const client = open(rig, any, { peer: peer.socket.local });
    assert.equal(client.socket.local.ip, rig.loopback);
    assert.ok(client.socket.local.port > 0);
    assert.ok(client.socket.send(HELLO, peer.socket.local));
    await rig.run(() => peer.received.length === 1);
    assert.ok(sameAddress(peer.received[0]!.from, client.socket.local));
    assert.ok(other.socket.send(Uint8Array.of(1), client.socket.local));
    assert.ok(peer.socket.send(HELLO, peer.received[0]!.from));
    await rig.run(() => client.received.length === 1);
    assertSameBytes(client.received[0]!.bytes, HELLO);
    assert.ok(sameAddress(client.received[0]!.from, peer.socket.local));
    for (const { socket } of [peer, other, client]) socket.close();
  });

  test("a connected socket is notified when the peer refuses, and still works", async (rig) => {
    const peer = open(rig);
    const { local } = peer.socket;
    peer.socket.close();
    await aTurn(rig);
    const codes: string[] = [];
    const any = isIpv4(rig.loopback) ? ANY_V4 : ANY_V6;
    const client = rig.network.udp({ address: { ip: any, port: 0 }, peer: local }, {
      onDatagram() {},
      onFailure: (code) => codes.push(code),
    });
    client.send(HELLO, local);
    await rig.run(() => codes.length > 0);
    assert.deepEqual(codes, ["ECONNREFUSED"]);
    assert.ok(client.send(HELLO, local));
    await rig.run(() => codes.length > 1);
    client.close();
  });

  test("answers sent in the callback keep their order and their destinations", async (rig) => {
    const clients = Array.from({ length: 3 }, () => open(rig));
    const server: DatagramSocket = rig.network.udp({ address: { ip: rig.loopback, port: 0 } }, {
      onDatagram(bytes, from) {
        assert.ok(server.send(bytes, from));
        assert.ok(server.send(payloadOf(40_000, bytes[0]!), from));
      },
    });
    for (let i = 0; i < 12; i++) assert.ok(clients[i % 3]!.socket.send(Uint8Array.of(i), server.local));
    await rig.run(() => clients.every(({ received }) => received.length === 8));
    clients.forEach(({ received }, nth) => {
      const firsts = received.filter(({ bytes }) => bytes.length === 1).map(({ bytes }) => bytes[0]);
      assert.deepEqual(firsts, [nth, nth + 3, nth + 6, nth + 9]);
      received.filter((_, i) => i % 2 === 1).forEach(({ bytes }, i) => {
        assertSameBytes(bytes, payloadOf(40_000, firsts[i]!));
      });
    });
    for (const { socket } of clients) socket.close();
    server.close();
  });

  test("a retired socket receives what was sent before, other sockets the rest, and it can still send", async (rig) => {
    const client = open(rig);
    const old = open(rig, rig.loopback, { reusePort: true });
    const address = old.socket.local;
    for (let i = 0; i < 40; i++) assert.ok(client.socket.send(Uint8Array.of(i), address));
    old.socket.retire();
    old.socket.retire();
    await rig.run(() => old.received.length === 40);
    const successor = open(rig, rig.loopback, { address, reusePort: true });
    // From different ports: the kernel chooses a socket by a hash of the addresses.
    const others = Array.from({ length: 8 }, () => open(rig));
    for (const { socket } of others) assert.ok(socket.send(HELLO, address));
    await rig.run(() => successor.received.length === 8);
    assert.equal(old.received.length, 40);
    assert.ok(old.socket.send(HELLO, old.received[0]!.from));
    await rig.run(() => client.received.length === 1);
    assert.ok(sameAddress(client.received[0]!.from, address));
    for (const { socket } of [client, old, successor, ...others]) socket.close();
  });

  test("a socket closed by its own callback neither receives nor sends any more", async (rig) => {
    const client = open(rig);
    let received = 0;
    const socket = rig.network.udp({ address: { ip: rig.loopback, port: 0 } }, {
      onDatagram() {
        received++;
        socket.close();
        socket.close();
      },
    });
    for (let i = 0; i < 3; i++) assert.ok(client.socket.send(HELLO, socket.local));
    await rig.run(() => received > 0);
    assert.equal(socket.send(HELLO, client.socket.local), false);
    assert.ok(client.socket.send(HELLO, client.socket.local));
    await rig.run(() => client.received.length === 1);
    assert.equal(received, 1);
    client.socket.close();
  });
}

async function aTurn({ network, run }: Rig): Promise<void> {
  const before = network.turn;
  network.nextTurn({ runTurn() {} });
  await run(() => network.turn > before);
}

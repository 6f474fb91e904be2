/** The datagrams' part of the network contract. */
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
} from "./address.ts";
import { ListenError, type UdpAt } from "./network.ts";
import { assertSameBytes, type ContractTest, payloadOf, type Rig } from "./network_contract_kit.ts";

interface Received {
  readonly bytes: Uint8Array;
  readonly from: SocketAddress;
}

function open(rig: Rig, ip: Ip = rig.loopback, options: Partial<UdpAt> = {}) {
  const received: Received[] = [];
  const socket = rig.network.udp({ ...options, address: options.address ?? { ip, port: 0 } }, {
    onDatagram: (bytes, from) => received.push({ bytes: bytes.slice(), from }),
  });
  return { socket, received };
}

const HELLO = new TextEncoder().encode("hello");

export function datagramContract(test: ContractTest): void {
  test("datagrams keep their limits and their sender, both ways, from no byte to a large one", async (rig) => {
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

  test("more datagrams than one turn takes all arrive", async (rig) => {
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

  test("a datagram to nobody is lost, and the socket goes on", async (rig) => {
    const { socket, received } = open(rig);
    assert.ok(socket.send(HELLO, { ip: rig.loopback, port: 1 }));
    assert.ok(socket.send(HELLO, socket.local));
    await rig.run(() => received.length === 1);
    assertSameBytes(received[0]!.bytes, HELLO);
    socket.close();
  });

  test("a UDP port in use is a ListenError; SO_REUSEPORT shares it", (rig) => {
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

  test("a socket may be closed from its own callback, and hears and says nothing after it", async (rig) => {
    const client = open(rig);
    let heard = 0;
    const socket = rig.network.udp({ address: { ip: rig.loopback, port: 0 } }, {
      onDatagram() {
        heard++;
        socket.close();
        socket.close();
      },
    });
    for (let i = 0; i < 3; i++) assert.ok(client.socket.send(HELLO, socket.local));
    await rig.run(() => heard > 0);
    assert.equal(socket.send(HELLO, client.socket.local), false);
    assert.ok(client.socket.send(HELLO, client.socket.local));
    await rig.run(() => client.received.length === 1);
    assert.equal(heard, 1);
    client.socket.close();
  });
}

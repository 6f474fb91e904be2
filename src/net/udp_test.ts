import { strict as assert } from "node:assert";
import { ANY_V4, ANY_V6, type Ip, LOOPBACK_V4, LOOPBACK_V6, sameAddress, type SocketAddress } from "./address.ts";
import type { DatagramSocket } from "./network.ts";
import { payloadOf } from "./testkit/contract_kit.ts";
import { ReactorRig } from "./testkit/reactor.ts";

function udp(what: string, body: (rig: ReactorRig) => Promise<void>): void {
  Deno.test(`UDP: ${what}`, async () => {
    await using rig = new ReactorRig();
    await body(rig);
  });
}

/** Sends each datagram back, in the callback or later. */
function mirror({ network }: ReactorRig, ip: Ip, later = false): DatagramSocket {
  const socket: DatagramSocket = network.udp({ address: { ip, port: 0 } }, {
    onDatagram(lent, from) {
      const bytes = lent.slice();
      if (later) network.nextTurn({ runTurn: () => void socket.send(bytes, from) });
      else assert.ok(socket.send(bytes, from));
    },
  });
  return socket;
}

async function answerFrom(rig: ReactorRig, to: SocketAddress): Promise<SocketAddress> {
  const senders: SocketAddress[] = [];
  const bound = to.ip.includes(":") ? LOOPBACK_V6 : LOOPBACK_V4;
  const client = rig.network.udp({ address: { ip: bound, port: 0 } }, { onDatagram: (_, from) => senders.push(from) });
  assert.ok(client.send(Uint8Array.of(1, 2, 3), to));
  await rig.run(() => senders.length === 1);
  client.close();
  return senders[0]!;
}

for (const any of [ANY_V4, ANY_V6]) {
  for (const later of [false, true]) {
    udp(`an answer leaves from the address that was asked: ${any}, ${later ? "later" : "at once"}`, async (rig) => {
      const server = mirror(rig, any, later);
      const asked = ["127.0.0.1", "127.0.0.2", ...(any === ANY_V6 ? ["::1"] : [])];
      for (const ip of asked as Ip[]) {
        const to = { ip, port: server.local.port };
        assert.ok(sameAddress(await answerFrom(rig, to), to), ip);
      }
      server.close();
    });
  }
}

udp("the source of a datagram is still right after later datagrams have arrived", async (rig) => {
  const senders: SocketAddress[] = [];
  const server = rig.network.udp({ address: { ip: ANY_V6, port: 0 } }, { onDatagram: (_, from) => senders.push(from) });
  const clients = ["127.0.0.1", "127.0.0.9", "::1"].map((ip) =>
    rig.network.udp({ address: { ip: ip as Ip, port: 0 } }, { onDatagram() {} })
  );
  for (const { send, local } of clients.map((c) => ({ send: c.send.bind(c), local: c.local }))) {
    assert.ok(
      send(payloadOf(100, 1), { ip: local.ip.includes(":") ? LOOPBACK_V6 : LOOPBACK_V4, port: server.local.port }),
    );
  }
  await rig.run(() => senders.length === 3);
  clients.forEach(({ local }, i) => assert.ok(sameAddress(senders[i]!, local)));
  for (const client of clients) client.close();
  server.close();
});

udp("a datagram can be answered by another socket", async (rig) => {
  const senders: SocketAddress[] = [];
  const received: number[] = [];
  const address = { ip: LOOPBACK_V4, port: 0 };
  const server = rig.network.udp({ address }, { onDatagram: (_, from) => senders.push(from) });
  const other = rig.network.udp({ address: { ip: ANY_V6, port: 0 } }, { onDatagram() {} });
  const client = rig.network.udp({ address }, { onDatagram: (bytes) => received.push(bytes.length) });
  client.send(payloadOf(7, 1), server.local);
  await rig.run(() => senders.length === 1);
  assert.ok(other.send(payloadOf(9, 1), senders[0]!));
  await rig.run(() => received.length === 1);
  assert.deepEqual(received, [9]);
  for (const socket of [server, other, client]) socket.close();
});

udp("an answer that is too long is refused, and the others arrive", async (rig) => {
  const lengths: number[] = [];
  const address = { ip: LOOPBACK_V4, port: 0 };
  const server: DatagramSocket = rig.network.udp({ address: { ip: ANY_V6, port: 0 } }, {
    onDatagram(bytes, from) {
      assert.ok(server.send(bytes.subarray(0, 1), from));
      assert.equal(server.send(new Uint8Array(65_508), from), false);
      assert.ok(server.send(bytes, from));
    },
  });
  const client = rig.network.udp({ address }, { onDatagram: (bytes) => lengths.push(bytes.length) });
  assert.ok(client.send(payloadOf(5, 1), { ip: LOOPBACK_V4, port: server.local.port }));
  await rig.run(() => lengths.length === 2);
  assert.deepEqual(lengths, [1, 5]);
  client.close();
  server.close();
});

udp("an error of a callback ends its batch and not the socket, and answers sent before it have left", async (rig) => {
  const received: number[] = [];
  const address = { ip: LOOPBACK_V4, port: 0 };
  const server: DatagramSocket = rig.network.udp({ address }, {
    onDatagram(bytes, from) {
      server.send(bytes, from);
      if (bytes[0] === 1) throw new Error("broken on purpose");
    },
  });
  const client = rig.network.udp({ address }, { onDatagram: (bytes) => received.push(bytes[0]!) });
  client.send(Uint8Array.of(1), server.local);
  await rig.run(() => rig.errors.length === 1 || received.length === 1).catch(() => {});
  assert.equal(String(rig.errors.pop()), "Error: broken on purpose");
  client.send(Uint8Array.of(2), server.local);
  await rig.run(() => received.length === 2);
  assert.deepEqual(received, [1, 2]);
  client.close();
  server.close();
});

/** Behaviour of TCP sockets beyond the contract: options, urgent data, descriptors. */
import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import * as c from "../os/constants.ts";
import { libc } from "../os/libc_sockets.ts";
import { insideNamespace } from "../os/namespace.ts";
import { getOption } from "../os/socket.ts";
import { LOOPBACK_V4, LOOPBACK_V6, parseIp } from "./address.ts";
import { type Duplex, type Ending, FAILED } from "./duplex.ts";
import { assertSameBytes, connect, dial, Idle, payloadOf, Pump } from "./testkit/contract_kit.ts";
import { TcpDuplex } from "./tcp_duplex.ts";
import { openDescriptors, ReactorRig } from "./testkit/reactor.ts";
import { readSystemFile, readSystemLink } from "../os/system_files.ts";

const NOTHING = new Uint8Array(0);
const HELLO = new TextEncoder().encode("hello");

function fdOf(duplex: Duplex): number {
  assert.ok(duplex instanceof TcpDuplex);
  return duplex.fd;
}

function isOpen(fd: number): boolean {
  try {
    return readSystemLink(`/proc/self/fd/${fd}`) !== "";
  } catch {
    return false;
  }
}

// The first call opens a descriptor of this thread's own namespace, which stays open.
assert.throws(() => insideNamespace(-1, () => {}), { code: /EBADF|EPERM/ });

function tcp(what: string, body: (rig: ReactorRig) => Promise<void>): void {
  Deno.test(`tcp: ${what}`, async () => {
    await using rig = new ReactorRig();
    const before = openDescriptors();
    await body(rig);
    await rig.run(() => openDescriptors() === before);
  });
}

tcp(
  "dataplane SK-01, inpod N4: accepted and dialled sockets have the given keepalive and user timeout",
  async (rig) => {
    const options = { keepalive: { idleSeconds: 10, intervalSeconds: 2, probes: 5 }, userTimeout: 20_000 };
    const accepted: Duplex[] = [];
    const at = { ...options, address: { ip: LOOPBACK_V4, port: 0 } };
    const listener = rig.network.listen(at, ({ duplex }) => accepted.push(duplex));
    const client = await dial(rig, listener.local, options);
    await rig.run(() => accepted.length === 1);
    for (const duplex of [client, accepted[0]!]) {
      const fd = fdOf(duplex);
      assert.equal(getOption(fd, c.SOL_SOCKET, c.SO_KEEPALIVE), 1);
      assert.equal(getOption(fd, c.SOL_TCP, c.TCP_KEEPIDLE), 10);
      assert.equal(getOption(fd, c.SOL_TCP, c.TCP_KEEPINTVL), 2);
      assert.equal(getOption(fd, c.SOL_TCP, c.TCP_KEEPCNT), 5);
      assert.equal(getOption(fd, c.SOL_TCP, c.TCP_USER_TIMEOUT), 20_000);
      duplex.close();
    }
    listener.close();
  },
);

tcp("accepted sockets inherit TCP_NODELAY; dialled ones get it before their second write", async (rig) => {
  const { client, server } = await connect(rig);
  const noDelay = (duplex: Duplex) => getOption(fdOf(duplex), c.SOL_TCP, c.TCP_NODELAY);
  assert.deepEqual([noDelay(server), noDelay(client)], [1, 0]);
  client.start(new Idle());
  client.write(HELLO);
  assert.equal(noDelay(client), 0);
  client.write(HELLO);
  assert.equal(noDelay(client), 1);
  client.close();
  server.close();
});

tcp(
  "inpod N1, N2: a shared port has SO_REUSEPORT and not SO_REUSEADDR, another the reverse; dials have neither",
  async (rig) => {
    for (const reusePort of [false, true]) {
      const accepted: Duplex[] = [];
      const at = { address: { ip: LOOPBACK_V6, port: 0 }, reusePort };
      const listener = rig.network.listen(at, ({ duplex }) => accepted.push(duplex));
      const client = await dial(rig, listener.local);
      await rig.run(() => accepted.length === 1);
      const [server] = accepted;
      // Accepted sockets inherit both from their listener.
      const of = (duplex: Duplex, name: number) => getOption(fdOf(duplex), c.SOL_SOCKET, name);
      assert.equal(of(server!, c.SO_REUSEPORT), reusePort ? 1 : 0);
      assert.equal(of(server!, c.SO_REUSEADDR), reusePort ? 0 : 1);
      assert.deepEqual([of(client, c.SO_REUSEPORT), of(client, c.SO_REUSEADDR)], [0, 0]);
      client.close();
      server!.close();
      listener.close();
    }
  },
);

tcp(
  "inpod N7: a port is shared by two binds with SO_REUSEPORT and by no other; N12: a source equal to the destination is not bound",
  async (rig) => {
    const any = { ip: LOOPBACK_V4, port: 0 };
    const one = rig.network.listen({ address: any, reusePort: true }, ({ duplex }) => duplex.close());
    const two = rig.network.listen({ address: one.local, reusePort: true }, ({ duplex }) => duplex.close());
    assert.throws(() => rig.network.listen({ address: one.local }, () => {}), { code: "EADDRINUSE" });
    const client = await dial(rig, one.local, { source: { ip: LOOPBACK_V4, port: 0 } });
    assert.equal(getOption(fdOf(client), c.SOL_IP, c.IP_FREEBIND), 0);
    client.close();
    one.close();
    two.close();
  },
);

tcp(
  "dataplane 1.3: a source address that cannot be bound is reported, and the dial goes on from another one",
  async (rig) => {
    const any = { ip: LOOPBACK_V4, port: 0 };
    const listener = rig.network.listen({ address: any }, ({ duplex }) => duplex.close());
    const taken = rig.network.listen(
      { address: { ip: parseIp("127.0.0.9")!, port: 0 } },
      ({ duplex }) => duplex.close(),
    );
    const client = await dial(rig, listener.local, { source: taken.local });
    assert.notDeepEqual(client.local, taken.local);
    // Without CAP_NET_ADMIN the kernel refuses earlier.
    assert.match(
      rig.refusedSources.map(({ code }) => code).join(),
      /^(EADDRINUSE|EPERM)$/,
    );
    client.close();
    taken.close();
    listener.close();
  },
);

tcp("a dial that gets no answer begins anew with a fresh socket, one at a time", async (rig) => {
  const before = synSent(rig.blackhole.port);
  const ports = new Set<string>();
  const options = { timeout: 60_000, attemptTimeout: 20 };
  const begun = rig.network.dial(rig.blackhole, options, { onConnect() {}, onDialFailure() {} });
  await rig.run(() => {
    const now = [...synSent(rig.blackhole.port).difference(before)];
    assert.ok(now.length <= 1, `${now.length} sockets at once`);
    for (const port of now) ports.add(port);
    return ports.size >= 3;
  });
  begun.abort();
});

/** Local ports of sockets that wait for an answer from `port` of 127.0.0.1, as `/proc/net/tcp` has them. */
function synSent(port: number): Set<string> {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = readSystemFile("/proc/net/tcp").split("\n").map((line) => line.trim().split(/\s+/));
  return new Set(lines.filter(([, , to, state]) => to === remote && state === "02").map(([, from = ""]) => from));
}

tcp("inpod N13: a source of the other family fails the dial", async (rig) => {
  let code = "";
  rig.network.dial({ ip: LOOPBACK_V4, port: 9 }, { source: { ip: LOOPBACK_V6, port: 0 } }, {
    onConnect: (duplex) => duplex.close(),
    onDialFailure: (ending) => code = ending.code,
  });
  await rig.run(() => code !== "");
  assert.match(code, /^E[A-Z]+$/);
});

tcp(
  "inpod N11: with a descriptor that is not a namespace, listen and dial fail with EINVAL",
  async (rig) => {
    const namespace = libc.open(new TextEncoder().encode("/dev/null\0") as Uint8Array<ArrayBuffer>, c.O_CLOEXEC, 0);
    const address = { ip: LOOPBACK_V4, port: 0 };
    const code = { code: /^(EINVAL|EPERM)$/ };
    assert.throws(() => rig.network.listen({ address, namespace }, () => {}), code);
    assert.throws(() => rig.network.udp({ address, namespace }, { onDatagram() {} }), code);
    let failed = "";
    rig.network.dial({ ...address, port: 9 }, { namespace }, {
      onConnect: (duplex) => duplex.close(),
      onDialFailure: (ending) => failed = ending.code,
    });
    await rig.run(() => failed !== "");
    assert.match(failed, code.code);
    libc.close(namespace);
  },
);

tcp("bytes of a server that sends first are read, also when the dialled stream is started late", async (rig) => {
  const { client, server } = await connect(rig);
  server.start(new Idle());
  server.write(HELLO);
  await rig.run(() => client.readable);
  const reader = new Pump(rig.network, client, NOTHING, { end: false });
  await rig.run(() => reader.receivedBytes === HELLO.length);
  client.close();
  server.close();
});

for (const reads of ["server", "client"] as const) {
  tcp(`urgent data are read as data, in their place, by the ${reads}`, async (rig) => {
    const both = await connect(rig);
    const { [reads]: to, [reads === "server" ? "client" : "server"]: from } = both;
    const reader = new Pump(rig.network, to, NOTHING, { end: false });
    from.start(new Idle());
    const MSG_OOB = 1;
    const sent: Uint8Array[] = [];
    for (let i = 0; i < 200; i++) {
      const payload = payloadOf(100, i), urgent = Uint8Array.of(i);
      assert.equal(from.write(payload), payload.length);
      assert.equal(libc.send(fdOf(from), urgent, 1, MSG_OOB), 1);
      sent.push(payload, urgent);
    }
    from.end();
    await rig.run(() => to.ended);
    assertSameBytes(reader.bytes, Buffer.concat(sent));
    from.close();
    to.close();
  });
}

tcp("a read into an empty buffer is not the end", async (rig) => {
  const { client, server } = await connect(rig);
  const sink = new Idle();
  server.start(sink);
  client.start(new Idle());
  client.write(HELLO);
  await rig.run(() => sink.readable > 0);
  assert.equal(server.read(NOTHING), 0);
  assert.ok(server.readable && !server.ended);
  assert.equal(server.read(new Uint8Array(10)), HELLO.length);
  client.close();
  server.close();
});

tcp("a closed stream never uses its descriptor again, which may belong to another socket", async (rig) => {
  const { client, server } = await connect(rig);
  const number = fdOf(server);
  server.close();
  await rig.run(() => !isOpen(number));
  const heirs: number[] = [];
  do heirs.push(libc.eventfd(1, c.EFD_NONBLOCK | c.EFD_CLOEXEC)); while (heirs.at(-1)! < number);
  assert.equal(server.read(new Uint8Array(8)), FAILED);
  assert.equal(server.write(HELLO), FAILED);
  server.end();
  server.start(new Idle());
  for (const heir of heirs) assert.equal(libc.close(heir), 0);
  client.close();
});

tcp("an accept callback that throws only loses its own connection", async (rig) => {
  let throwing = true;
  const listener = rig.network.listen({ address: { ip: LOOPBACK_V4, port: 0 } }, ({ duplex }) => {
    if (throwing) throw new Error("from accept");
    duplex.close();
  });
  // The reset may arrive before the client is notified of its connection.
  const failures: Ending[] = [];
  const connected: Duplex[] = [];
  const sink = { onReadable: () => void connected[0]?.read(new Uint8Array(1)), onWritable() {}, onFailure() {} };
  rig.network.dial(listener.local, {}, {
    onConnect: (duplex) => {
      connected.push(duplex);
      duplex.start(sink);
    },
    onDialFailure: (ending) => failures.push(ending),
  });
  await assert.rejects(rig.run(() => false), /from accept/);
  rig.errors.length = 0;
  await rig.run(() => (connected[0]?.failure ?? failures[0])?.code === "ECONNRESET");
  throwing = false;
  const second = new Pump(rig.network, await dial(rig, listener.local), NOTHING, { end: false });
  await rig.run(() => second.duplex.ended);
  second.duplex.close();
  connected[0]?.close();
  listener.close();
});

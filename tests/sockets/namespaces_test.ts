/** Sockets in the network namespace of a pod: creation, marks, redirection, foreign source addresses. */
import { strict as assert } from "node:assert";
import { join, makeNamespace, type Namespace } from "../../lab/namespace.ts";
import { testNeeding } from "../../lab/needs.ts";
import { type Ip, parseSocketAddress, type SocketAddress } from "../../src/net/address.ts";
import type { Duplex } from "../../src/net/duplex.ts";
import type { Accepted, DialOptions, ListenAt, Listener } from "../../src/net/network.ts";
import { namespaceAddresses } from "../../src/net/namespace_addresses.ts";
import { SourcePorts } from "../../src/net/source_ports.ts";
import { tryDial } from "../../src/net/testkit/contract_kit.ts";
import { TcpDuplex } from "../../src/net/tcp_duplex.ts";
import { ReactorRig } from "../../src/net/testkit/reactor.ts";
import * as c from "../../src/os/constants.ts";
import { libc } from "../../src/os/libc.ts";
import { insideNamespace, namespaceIdentity, openNamespace } from "../../src/os/namespace.ts";
import { getOption } from "../../src/os/socket.ts";
import { readSystemLink } from "../../src/os/system_files.ts";

const MARK = 123;
/** `ip` and `ss` come in one package. */
const NAMESPACES = { namespaces: true, packages: ["ip"] } as const;

/** A pod's namespace with addresses 10.9.0.1 and fd09::1, joined to a peer's with 10.9.0.2 and fd09::2. */
class Pod implements AsyncDisposable {
  readonly rig = new ReactorRig();
  readonly #listeners: Listener[] = [];
  readonly #streams: Duplex[] = [];
  readonly inside: number;
  readonly outside: number;

  private constructor(readonly pod: Namespace, readonly peer: Namespace) {
    this.inside = openNamespace(pod.path);
    this.outside = openNamespace(peer.path);
  }

  static async make(): Promise<Pod> {
    const pod = await makeNamespace("pod");
    const peer = await makeNamespace("peer");
    await join(
      { in: pod, addresses: ["10.9.0.1/24", "fd09::1/64"] },
      { in: peer, addresses: ["10.9.0.2/24", "fd09::2/64"] },
    );
    return new Pod(pod, peer);
  }

  listen(namespace: number, address: SocketAddress, options: Partial<ListenAt> = {}) {
    const accepted: Accepted[] = [];
    const listener = this.rig.network.listen({ ...options, namespace, address }, (one) => {
      this.#streams.push(one.duplex);
      accepted.push(one);
    });
    this.#listeners.push(listener);
    return { listener, accepted };
  }

  /** The new connection as both ends see it. */
  async connect(to: SocketAddress, options: DialOptions, accepted: readonly Accepted[]) {
    const before = accepted.length;
    const outcome = await tryDial(this.rig, to, options);
    assert.ok("duplex" in outcome, JSON.stringify(outcome));
    this.#streams.push(outcome.duplex);
    await this.rig.run(() => accepted.length > before);
    return { client: outcome.duplex, server: accepted[before]! };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const duplex of this.#streams) duplex.close(true);
    for (const listener of this.#listeners) listener.close();
    await this.rig.close();
    libc.close(this.inside);
    libc.close(this.outside);
    await this.pod[Symbol.asyncDispose]();
    await this.peer[Symbol.asyncDispose]();
  }
}

function at(text: string): SocketAddress {
  const address = parseSocketAddress(text);
  assert.ok(address !== null, text);
  return address;
}

function option(duplex: Duplex, level: number, name: number): number | null {
  assert.ok(duplex instanceof TcpDuplex);
  return getOption(duplex.fd, level, name);
}

const home = () => readSystemLink("/proc/thread-self/ns/net");

testNeeding(
  NAMESPACES,
  "inpod N5: work runs inside the namespace, and the thread returns even when the work throws",
  async () => {
    await using pod = await Pod.make();
    const before = home();
    const inside = insideNamespace(pod.inside, home);
    assert.notEqual(inside, before);
    assert.equal(home(), before);
    assert.throws(() => insideNamespace(pod.inside, () => assert.fail("x")), /x/);
    assert.equal(home(), before);
  },
);

testNeeding(NAMESPACES, "inpod N6: a namespace that is opened twice is recognized as the same", async () => {
  await using pod = await Pod.make();
  const again = openNamespace(pod.pod.path);
  assert.equal(namespaceIdentity(again), namespaceIdentity(pod.inside));
  assert.notEqual(namespaceIdentity(again), namespaceIdentity(pod.outside));
  libc.close(again);
  assert.throws(() => openNamespace("/run/netns/no-such"), { name: "SystemError", code: "ENOENT" });
});

testNeeding(
  NAMESPACES,
  "addresses of a namespace: of both families, without loopback and link-local ones",
  async () => {
    await using pod = await Pod.make();
    const before = home();
    assert.deepEqual(namespaceAddresses(pod.inside).toSorted(), ["10.9.0.1", "fd09::1"]);
    assert.equal(home(), before);
    assert.throws(() => namespaceAddresses(-1), { code: "EBADF" });
  },
);

testNeeding(NAMESPACES, "dataplane SK-02, inpod N1-N3, N8: marks and shared ports in the pod's namespace", async () => {
  await using pod = await Pod.make();
  for (const reusePort of [false, true]) {
    const options = { mark: MARK, reusePort, transparent: "require" } as const;
    const { listener, accepted } = pod.listen(pod.inside, at("[::]:0"), options);
    assert.ok(listener.transparent);
    for (const ip of ["10.9.0.1", "fd09::1"] as Ip[]) {
      const to = { ip, port: listener.local.port };
      const dialled = await pod.connect(to, { namespace: pod.outside, mark: MARK }, accepted);
      assert.equal(dialled.server.duplex.local.ip, ip);
      // Accepted sockets inherit all three.
      const { duplex } = dialled.server;
      assert.equal(option(duplex, c.SOL_SOCKET, c.SO_MARK), MARK);
      assert.equal(option(duplex, c.SOL_SOCKET, c.SO_REUSEPORT), reusePort ? 1 : 0);
      assert.equal(option(duplex, c.SOL_IP, c.IP_TRANSPARENT), 1);
      assert.equal(option(dialled.client, c.SOL_SOCKET, c.SO_MARK), MARK);
      assert.equal(option(dialled.client, c.SOL_SOCKET, c.SO_REUSEPORT), 0);
    }
    // The port is in use in the pod's namespace and free elsewhere.
    assert.throws(() => pod.listen(pod.inside, listener.local), { code: "EADDRINUSE" });
    pod.listen(pod.outside, listener.local);
  }
});

testNeeding(
  NAMESPACES,
  "dataplane SK-02: UDP sockets in the pod's namespace are marked",
  async () => {
    await using pod = await Pod.make();
    const { network } = pod.rig;
    const received: string[] = [];
    const options = { namespace: pod.inside, mark: MARK, reusePort: true };
    const sink = {
      onDatagram: (bytes: Uint8Array, from: SocketAddress) => received.push(`${from.ip} ${bytes.length}`),
    };
    const socket = network.udp({ ...options, address: at("[::]:0") }, sink);
    const twin = network.udp({ ...options, address: socket.local }, sink);
    const sockets = await pod.pod.run("ss", "-ulne");
    assert.equal([...sockets.matchAll(/fwmark:0x7b/g)].length, 2, sockets);
    const client = network.udp({ address: at("10.9.0.2:0"), namespace: pod.outside }, { onDatagram() {} });
    assert.ok(client.send(new Uint8Array(7), { ip: "10.9.0.1" as Ip, port: socket.local.port }));
    await pod.rig.run(() => received.length > 0);
    assert.deepEqual(received, ["10.9.0.2 7"]);
    for (const each of [socket, twin, client]) each.close();
  },
);

testNeeding(
  { namespaces: true, packages: ["ip", "iptables"] },
  "dataplane 1.2: the original destination of redirected connections, IPv4 and IPv6; marked ones pass",
  async () => {
    await using pod = await Pod.make();
    const { listener, accepted } = pod.listen(pod.inside, at("[::]:0"), { mark: MARK });
    for (const iptables of ["iptables", "ip6tables"]) {
      const rule = `-t nat -A OUTPUT -p tcp --dport 80 -m mark ! --mark ${MARK} -j REDIRECT --to-ports`;
      await pod.pod.run(iptables, ...rule.split(" "), String(listener.local.port));
    }
    const app = pod.listen(pod.outside, at("[::]:80"));
    for (const address of ["10.9.0.2:80", "[fd09::2]:80"]) {
      const redirected = await pod.connect(at(address), { namespace: pod.inside }, accepted);
      assert.deepEqual(redirected.server.originalDestination(), at(address));
      assert.deepEqual(redirected.client.remote, at(address));
      const direct = await pod.connect(at(address), { namespace: pod.inside, mark: MARK }, app.accepted);
      assert.deepEqual(direct.server.duplex.local, at(address));
    }
    assert.equal(accepted.length, 2);
    // This connection is not redirected: connection tracking has at most its own address.
    const own = { ip: "10.9.0.1" as Ip, port: listener.local.port };
    const { server } = await pod.connect(own, { namespace: pod.outside }, accepted);
    const original = server.originalDestination();
    assert.ok(original === null || (original.ip === own.ip && original.port === own.port));
  },
);

testNeeding(NAMESPACES, "dataplane 1.3: a foreign source address is kept, IPv4 and IPv6, many times", async () => {
  await using pod = await Pod.make();
  const { listener, accepted } = pod.listen(pod.inside, at("[::]:0"));
  for (const [family, own, foreign] of [["-4", "10.9.0.1", "10.9.0.2"], ["-6", "fd09::1", "fd09::2"]] as const) {
    // As in a pod: replies to the foreign address return to the proxy.
    await pod.pod.run("ip", family, "route", "add", "local", foreign, "dev", "lo", "table", "100");
    await pod.pod.run("ip", family, "rule", "add", "pref", "1", "to", foreign, "lookup", "100");
    const to = { ip: own as Ip, port: listener.local.port };
    const options = { namespace: pod.inside, mark: MARK, source: { ip: foreign as Ip, port: 0 } };
    for (let i = 0; i < 3; i++) {
      const { client, server } = await pod.connect(to, options, accepted);
      assert.equal(client.local.ip, foreign);
      assert.equal(server.duplex.remote.ip, foreign);
      assert.equal(server.duplex.remote.port, client.local.port);
    }
  }
});

testNeeding(
  NAMESPACES,
  "observed O59: the port of a foreign source comes from the given range, and from the kernel when all are in use",
  async () => {
    await using pod = await Pod.make();
    const { listener, accepted } = pod.listen(pod.inside, at("[::]:0"));
    const range = { first: 20_000, last: 20_001 };
    // A server on the port of the first attempt, which does not share it.
    pod.listen(pod.inside, at("[::]:20000"));
    for (const [family, own, foreign] of [["-4", "10.9.0.1", "10.9.0.2"], ["-6", "fd09::1", "fd09::2"]] as const) {
      await pod.pod.run("ip", family, "route", "add", "local", foreign, "dev", "lo", "table", "100");
      await pod.pod.run("ip", family, "rule", "add", "pref", "1", "to", foreign, "lookup", "100");
      let attempts = 0;
      const options = {
        namespace: pod.inside,
        source: { ip: foreign as Ip, port: 0 },
        sourcePorts: new SourcePorts(range, () => attempts++ % 2 / 2),
      };
      const to = { ip: own as Ip, port: listener.local.port };
      const first = await pod.connect(to, options, accepted);
      assert.deepEqual(first.client.local, { ip: foreign, port: 20_001 });
      assert.equal(attempts, 2);
      // The port of the second attempt now has a connection to the same address.
      const second = await pod.connect(to, options, accepted);
      assert.equal(second.client.local.ip, foreign);
      assert.ok(second.client.local.port >= 32_768);
      assert.equal(attempts, 6);
      assert.deepEqual(pod.rig.dialsWithoutPort.at(-1), to);
      // A connection to another address may have the same port.
      const other = pod.listen(pod.inside, at("[::]:0"));
      const elsewhere = { ip: own as Ip, port: other.listener.local.port };
      assert.equal((await pod.connect(elsewhere, options, other.accepted)).client.local.port, 20_001);
    }
    assert.deepEqual(pod.rig.refusedSources, []);
  },
);

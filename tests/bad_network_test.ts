/**
 * Two nodes with a bad network between them: lost, reordered and repeated packets, a narrow link, a path MTU that is
 * smaller than that of the links, an outage of 20 s, and a peer's proxy that stops or is killed.
 */
import { strict as assert } from "node:assert";
import { type BedPod, Cluster } from "../lab/bed/cluster.ts";
import { testNeeding } from "../lab/needs.ts";
import type { Program } from "../lab/program.ts";
import { cacheProgram, Proxy } from "../lab/proxy.ts";
import { linkNodes } from "../testkit/link/linked_nodes.ts";
import { LINK_DEVICE, type SlowLink } from "../testkit/link/slow_link.ts";
import { APP_PORT, transfer, TRANSFER_PROGRAMS, Transfers } from "../testkit/link/transfers.ts";
import { allowMtuProbing, BAD_NETWORK, BLACK_HOLE } from "../testkit/link/conditions.ts";

const NEEDS = { namespaces: true, tun: true, packages: ["ip", "iptables"] } as const;
/** The subject of the test, and no waiting for something else. */
const OUTAGE_MILLIS = 20_000;

/** Client and server on two nodes; `other` is a second client, which has no pooled connection until it calls. */
class Bed implements AsyncDisposable {
  readonly client: BedPod;
  readonly other: BedPod;
  readonly server: BedPod;

  private constructor(readonly cluster: Cluster, readonly link: SlowLink) {
    [this.client, this.other, this.server] = [cluster.pod("client"), cluster.pod("other"), cluster.pod("server")];
  }

  static async build(): Promise<Bed> {
    await cacheProgram(...TRANSFER_PROGRAMS);
    const pods = [{ name: "client", node: 1 }, { name: "other", node: 1 }, { name: "server", node: 2 }];
    const cluster = await Cluster.build({ pods });
    try {
      const bed = new Bed(cluster, await linkNodes(cluster));
      await cluster.use(bed.#fixture("tcp_app", bed.server, "::", `${APP_PORT}`)).line(/listening/);
      return bed;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  get proxies(): readonly [Proxy, Proxy] {
    const [near, far] = this.cluster.nodes;
    return [near!.proxy, far!.proxy];
  }

  get addresses(): readonly string[] {
    return [this.server.ip, this.server.ip6];
  }

  /** Calls the server. Returns what the client got: the text and `end`, or `reset`. */
  async call(from: BedPod): Promise<string> {
    await using client = this.#fixture("tcp_client", from, this.server.ip, `${APP_PORT}`, "source");
    return (await client.ended()).output;
  }

  /** Opens a connection on which nothing is sent, and which prints its end. */
  async hold(from: BedPod): Promise<Program> {
    const client = this.cluster.use(this.#fixture("tcp_client", from, this.server.ip, `${APP_PORT}`, "hold", "hold"));
    await client.line(/connected/);
    return client;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cluster[Symbol.asyncDispose]();
  }

  #fixture(name: string, pod: BedPod, ...args: readonly string[]): Program {
    return Proxy.fixture(`tests/fixtures/${name}.ts`, args, pod.namespace.name);
  }
}

/** What a call gets: the client's address as the application sees it, and the end. */
function answer({ ip }: BedPod): string {
  return `::ffff:${ip}\nend`;
}

testNeeding(NEEDS, "bad network: every byte arrives, in order and once", async (t) => {
  await using bed = await Bed.build();
  const { link, client, other, server } = bed;

  await t.step("with lost, reordered and repeated packets, over IPv4 and IPv6", async () => {
    link.change(BAD_NETWORK);
    for (const address of bed.addresses) await transfer(client, address, 4, 500_000);
    assert.ok(link.counts.dropped > 0);
  });

  await t.step("over a narrow link that drops what does not fit into its queue", async () => {
    const { dropped } = link.counts;
    link.change({ delayMillis: 5, bitsPerSecond: 10e6, queueBytes: 16_000 });
    await transfer(client, server.ip, 4, 250_000);
    assert.ok(link.counts.dropped > dropped);
  });

  await t.step("over a path with an MTU of 1280 that swallows ICMP, where the kernel may probe for it", async () => {
    for (const pod of [client, server]) await allowMtuProbing(pod.namespace);
    const { dropped } = link.counts;
    link.change(BLACK_HOLE);
    for (const address of bed.addresses) await transfer(client, address, 2, 250_000);
    assert.ok(link.counts.dropped > dropped);
  });

  await t.step("over a path with an MTU of 1280 that answers with ICMP", async () => {
    link.change({ delayMillis: 5 });
    for (const { namespace } of bed.cluster.nodes) {
      await namespace.run("ip", "link", "set", LINK_DEVICE, "mtu", "1280");
    }
    for (const address of bed.addresses) {
      // Not the client of before, whose kernel has found smaller packets to pass.
      await transfer(other, address, 2, 500_000);
      assert.match(await other.namespace.run("ip", "route", "get", address), /mtu 1280/);
    }
  });
});

testNeeding(NEEDS, "bad network: an outage of 20 s costs time and no connection", async () => {
  await using bed = await Bed.build();
  const { link, client, other, server } = bed;
  link.change({ delayMillis: 5, bitsPerSecond: 8e6 });
  assert.equal(await bed.call(client), answer(client));
  await using transfers = await Transfers.open(client, server.ip, 2, 1_000_000);
  const { delivered } = link.counts;
  transfers.begin();
  while (link.counts.delivered < delivered + 500) await delay(10);
  link.down();
  // One has a pooled connection, whose peer does not answer; the other has none.
  const calls = Promise.all([bed.call(client), bed.call(other)]);
  await delay(OUTAGE_MILLIS);
  link.up();
  assert.deepEqual(await calls, [answer(client), answer(other)]);
  await transfers.finish();
});

testNeeding(
  NEEDS,
  "bad network: a peer's proxy that stops or is killed ends connections with a reset and a reason",
  async (t) => {
    await using bed = await Bed.build();
    const [near, far] = bed.proxies;
    const { client, other } = bed;

    await t.step("stopped: its kernel still accepts connections; calls fail, and work when it continues", async () => {
      assert.equal(await bed.call(client), answer(client));
      far.signal("SIGSTOP");
      assert.deepEqual(await Promise.all([bed.call(client), bed.call(other)]), ["reset", "reset"]);
      for (const { ip } of [client, other]) {
        await near.line(new RegExp(`access.*src.addr=${ip}:.*did not finish the TLS handshake in time`));
      }
      far.signal("SIGCONT");
      assert.deepEqual(await Promise.all([bed.call(client), bed.call(other)]), [answer(client), answer(other)]);
    });

    await t.step("killed: open connections end, new ones are refused", async () => {
      const held = await bed.hold(client);
      await far.stop("SIGKILL");
      await held.line(/^reset$/);
      // Which of the two depends on whether the client writes before or after the reset has arrived.
      assert.match(await bed.call(client), /^(reset|Error: write EPIPE)$/);
      await near.line(new RegExp(`access.*src.addr=${client.ip}:.*Connection refused`));
    });
  },
);

function delay(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

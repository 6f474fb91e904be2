/** Tests the link with delay, losses and outages that tests and benchmarks put between two namespaces. */
import { strict as assert } from "node:assert";
import { commandName } from "../lab/commands.ts";
import { makeNamespace, type Namespace } from "../lab/namespace.ts";
import { testNeeding } from "../lab/needs.ts";
import { eventually } from "../lab/eventually.ts";
import { Program } from "../lab/program.ts";
import { type LinkConditions, SlowLink } from "../testkit/link/slow_link.ts";

const NC = commandName("nc");

const NEEDS = { namespaces: true, tun: true, packages: ["nc"] } as const;
const BYTES = 2_000_000, MTU = 1500;

/** Two namespaces with a slow link. */
class Bed implements AsyncDisposable {
  private constructor(
    readonly link: SlowLink,
    readonly a: Namespace,
    readonly b: Namespace,
    readonly stack: AsyncDisposableStack,
  ) {}

  static async make(conditions: Partial<LinkConditions>): Promise<Bed> {
    await using stack = new AsyncDisposableStack();
    const a = stack.use(await makeNamespace("near"));
    const b = stack.use(await makeNamespace("far"));
    const link = stack.use(
      await SlowLink.join(
        { in: a, addresses: ["10.9.0.1/24", "fd09::1/64"] },
        { in: b, addresses: ["10.9.0.2/24", "fd09::2/64"] },
        conditions,
      ),
    );
    return new Bed(link, a, b, stack.move());
  }

  /** Sends from the first namespace to the second; resolves when everything has arrived. */
  async send(address = "10.9.0.2"): Promise<void> {
    const listen = `${NC} -nlv ${address} 9000 | wc -c`;
    await using server = new Program("sh", { args: ["-c", listen], namespace: this.b.name });
    await server.line(/Listening/);
    await this.a.run("sh", "-c", `head -c ${BYTES} /dev/zero | ${NC} -nN ${address} 9000`);
    await server.line(new RegExp(`^${BYTES}$`));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stack.disposeAsync();
  }
}

testNeeding(NEEDS, "slow link: TCP over IPv4 and IPv6 arrives, packet by packet", async () => {
  await using bed = await Bed.make({ delayMillis: 1 });
  for (const address of ["10.9.0.2", "fd09::2"]) {
    const before = bed.link.counts.delivered;
    await bed.send(address);
    const { delivered } = bed.link.counts;
    assert.ok(delivered >= before + BYTES / MTU, `${address}: ${delivered - before} packets`);
  }
  assert.equal(bed.link.counts.dropped, 0);
});

testNeeding(NEEDS, "slow link: TCP retransmits packets that are lost or find the queue full", async () => {
  await using bed = await Bed.make({ delayMillis: 1, lossShare: 0.01 });
  await bed.send();
  const { dropped } = bed.link.counts;
  assert.ok(dropped > 0);
  bed.link.change({ delayMillis: 1, bitsPerSecond: 20e6, queueBytes: 6000 });
  await bed.send();
  assert.ok(bed.link.counts.dropped > dropped);
});

testNeeding(
  NEEDS,
  "slow link: nothing arrives while it is down, and waiting data is sent when it is up again",
  async () => {
    await using bed = await Bed.make({ delayMillis: 1 });
    bed.link.down();
    const { delivered, dropped } = bed.link.counts;
    const sent = bed.send();
    await eventually("a packet on the broken link", () => bed.link.counts.dropped > dropped);
    assert.equal(bed.link.counts.delivered, delivered);
    bed.link.up();
    await sent;
  },
);

testNeeding(NEEDS, "slow link: a missing namespace is an error", async () => {
  const end = { in: { path: "/run/netns/zt-nowhere" }, addresses: [] };
  await assert.rejects(
    SlowLink.join(end, end),
    /Cannot join the namespaces by a slow link: open \/run\/netns\/zt-nowhere/,
  );
});

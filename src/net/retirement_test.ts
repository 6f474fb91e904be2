/** A listener that leaves its port to other listeners without resetting connections. */
import { strict as assert } from "node:assert";
import { formatAddress, type SocketAddress } from "./address.ts";
import type { Duplex } from "./duplex.ts";
import type { Listener } from "./network.ts";
import { tryDial } from "./testkit/contract_kit.ts";
import { ReactorRig } from "./testkit/reactor.ts";

const DIALS = 64;

/** Listeners on one port. For the kernel they are like those of one process. */
class Generation {
  readonly listeners: Listener[] = [];
  readonly accepted: Duplex[] = [];
  retired = 0;

  /** Without `address` the kernel chooses one. */
  constructor(rig: ReactorRig, siblings: number, address?: SocketAddress, reusePort = true) {
    for (let i = 0; i < siblings; i++) {
      const at = address ?? this.listeners[0]?.local ?? { ip: rig.loopback, port: 0 };
      const listen = { address: at, reusePort, siblings };
      this.listeners.push(rig.network.listen(listen, ({ duplex }) => this.accepted.push(duplex)));
    }
  }

  get address(): SocketAddress {
    return this.listeners[0]!.local;
  }

  retire(): void {
    for (const listener of this.listeners) listener.retire(() => this.retired++);
  }

  close(): void {
    for (const listener of this.listeners) listener.close();
    for (const duplex of this.accepted) duplex.close(true);
  }
}

async function dial(rig: ReactorRig, to: SocketAddress): Promise<void> {
  const outcome = await tryDial(rig, to, {});
  assert.ok("duplex" in outcome, `${formatAddress(to)}: ${JSON.stringify(outcome)}`);
  outcome.duplex.close(false);
}

for (const siblings of [1, 2]) {
  Deno.test(`retiring: new connections go to the successor, with ${siblings} listener(s) each`, async () => {
    await using rig = new ReactorRig();
    const old = new Generation(rig, siblings);
    const { address } = old;
    const successor = new Generation(rig, siblings, address);
    for (let i = 0; i < DIALS; i++) await dial(rig, address);
    await rig.run(() => old.accepted.length + successor.accepted.length === DIALS);
    assert.ok(old.accepted.length > 0 && successor.accepted.length > 0, "the kernel shares them out");
    const before = old.accepted.length;
    old.retire();
    for (let i = 0; i < DIALS; i++) await dial(rig, address);
    await rig.run(() => old.accepted.length + successor.accepted.length === 2 * DIALS);
    assert.equal(old.accepted.length, before);
    successor.accepted.splice(0).forEach((duplex) => duplex.close(true));
    await rig.run(() => old.retired === siblings);
    const third = new Generation(rig, siblings, address);
    for (let i = 0; i < DIALS; i++) await dial(rig, address);
    await rig.run(() => successor.accepted.length + third.accepted.length === DIALS);
    assert.equal(old.accepted.length, before);
    for (const each of [successor, third]) assert.ok(each.accepted.length > DIALS / 8, "and shares them out again");
    for (const generation of [old, successor, third]) generation.close();
  });
}

Deno.test("retiring without a successor: connections are accepted until the end", async () => {
  await using rig = new ReactorRig();
  const only = new Generation(rig, 1);
  const { address } = only;
  only.retire();
  await dial(rig, address);
  await rig.run(() => only.retired === 1);
  assert.equal(only.accepted.length, 1);
  const late = await tryDial(rig, address, {});
  assert.ok("ending" in late && late.ending.code === "ECONNREFUSED", JSON.stringify(late));
  only.close();
});

Deno.test("retiring ends at once when the port is not shared, and calls nothing after a close", async () => {
  await using rig = new ReactorRig();
  const alone = new Generation(rig, 1, undefined, false);
  alone.retire();
  assert.equal(alone.retired, 1);
  const cut = new Generation(rig, 1);
  cut.retire();
  cut.close();
  let later = false;
  rig.network.after(400, () => later = true);
  await rig.run(() => later);
  assert.equal(cut.retired, 0);
});

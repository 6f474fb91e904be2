import { strict as assert } from "node:assert";
import * as c from "../os/constants.ts";
import { libc } from "../os/libc_sockets.ts";
import { LOOPBACK_V4, LOOPBACK_V6 } from "./address.ts";
import { networkContract } from "./testkit/contract.ts";
import { openDescriptors, ReactorRig } from "./testkit/reactor.ts";

networkContract("reactor over IPv4", () => Promise.resolve(new ReactorRig(LOOPBACK_V4)));
networkContract("reactor over IPv6", () => Promise.resolve(new ReactorRig(LOOPBACK_V6)));

Deno.test("reactor: many descriptors that are released at once are closed in turns, without a wait between", async () => {
  await using rig = new ReactorRig();
  const before = openDescriptors();
  const events: number[] = [];
  for (let i = 0; i < 100; i++) {
    const fd = libc.eventfd(1, c.EFD_NONBLOCK | c.EFD_CLOEXEC);
    rig.network.watch(fd, c.EPOLLIN, { onEvents: () => events.push(fd) });
    rig.network.release(fd);
  }
  const turn = rig.network.turn, time = performance.now();
  await rig.run(() => openDescriptors() === before);
  assert.ok(rig.network.turn - turn >= 5, "a share in each turn");
  assert.ok(performance.now() - time < 10_000, "and no turn waits for a timer first");
  assert.deepEqual(events, []);
});

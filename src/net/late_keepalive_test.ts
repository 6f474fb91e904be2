import { strict as assert } from "node:assert";
import * as c from "../os/constants.ts";
import { libc } from "../os/libc.ts";
import { getOption, openSocket } from "../os/socket.ts";
import { LateKeepalive } from "./late_keepalive.ts";
import { MemoryNetwork } from "./testkit/memory_network.ts";

const MINUTES = { idleSeconds: 180, intervalSeconds: 20, probes: 5 };

function withSocket(run: (fd: number) => void): void {
  const fd = openSocket(c.AF_INET, c.SOCK_STREAM);
  try {
    run(fd);
  } finally {
    libc.close(fd);
  }
}

const isOn = (fd: number) => getOption(fd, c.SOL_SOCKET, c.SO_KEEPALIVE) === 1;

Deno.test("keepalive is enabled on a dialled socket after some seconds", () =>
  withSocket((fd) => {
    const network = new MemoryNetwork();
    const keepalive = new LateKeepalive(network);
    keepalive.add(fd, MINUTES);
    network.advance(14_000);
    assert.equal(isOn(fd), false);
    network.advance(20_000);
    assert.equal(isOn(fd), true);
    assert.equal(getOption(fd, c.SOL_TCP, c.TCP_KEEPIDLE), 180);
    assert.equal(getOption(fd, c.SOL_TCP, c.TCP_KEEPINTVL), 20);
    assert.equal(getOption(fd, c.SOL_TCP, c.TCP_KEEPCNT), 5);
  }));

Deno.test("a keepalive that starts after a short time is enabled at once", () =>
  withSocket((fd) => {
    new LateKeepalive(new MemoryNetwork()).add(fd, { ...MINUTES, idleSeconds: 10 });
    assert.equal(isOn(fd), true);
  }));

Deno.test("a descriptor that was closed meanwhile is not changed", () =>
  withSocket((fd) => {
    const network = new MemoryNetwork();
    const keepalive = new LateKeepalive(network);
    keepalive.add(fd, MINUTES);
    keepalive.delete(fd);
    network.advance(60_000);
    assert.equal(isOn(fd), false);
  }));

Deno.test("keepalive of many sockets is enabled in several turns, also when some close meanwhile", () => {
  const fds = Array.from({ length: 150 }, () => openSocket(c.AF_INET, c.SOCK_STREAM));
  try {
    const network = new MemoryNetwork();
    const keepalive = new LateKeepalive(network);
    for (const fd of fds) keepalive.add(fd, MINUTES);
    const counts: number[] = [];
    const look = {
      runTurn() {
        counts.push(fds.filter(isOn).length);
        keepalive.delete(fds.at(-1)!);
        if (counts.at(-1)! < 149) network.nextTurn(look);
      },
    };
    network.after(15_000, () => network.nextTurn(look));
    network.advance(15_000);
    assert.deepEqual(counts, [128, 149]);
    keepalive.add(fds.at(-1)!, MINUTES);
    network.advance(40_000);
    assert.equal(fds.filter(isOn).length, 150);
  } finally {
    for (const fd of fds) libc.close(fd);
  }
});

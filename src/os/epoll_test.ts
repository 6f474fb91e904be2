import { strict as assert } from "node:assert";
import { EFD_CLOEXEC, EFD_NONBLOCK, EPOLLET, EPOLLIN, EPOLLOUT } from "./constants.ts";
import { Epoll, eventLayout } from "./epoll.ts";
import { SystemError } from "./errno.ts";
import { libc } from "./libc_sockets.ts";
import { wake } from "./wake.ts";

Deno.test("inpod C1: struct epoll_event is packed on x86-64 and aligned on arm64", () => {
  assert.deepEqual(eventLayout("x86_64"), { stride: 12, data: 4 });
  assert.deepEqual(eventLayout("aarch64"), { stride: 16, data: 8 });
});

function withEventfds(count: number, body: (epoll: Epoll, fds: number[]) => Promise<void> | void) {
  return async () => {
    const epoll = new Epoll();
    const fds = Array.from({ length: count }, () => libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    try {
      await body(epoll, fds);
    } finally {
      for (const fd of fds) libc.close(fd);
      epoll.close();
      epoll.close();
    }
  };
}

Deno.test(
  "each event has the number of its descriptor",
  withEventfds(3, (epoll, fds) => {
    for (const fd of fds) epoll.add(fd, EPOLLIN);
    assert.equal(epoll.wait(0), 0);
    wake(fds[0]!);
    wake(fds[2]!);
    assert.equal(epoll.wait(-1), 2);
    assert.deepEqual([epoll.fd(0), epoll.fd(1)].sort(), [fds[0], fds[2]].sort());
    assert.deepEqual([epoll.flags(0), epoll.flags(1)], [EPOLLIN, EPOLLIN]);
  }),
);

Deno.test(
  "edge-triggered: an event is reported once; a removed descriptor reports none",
  withEventfds(2, (epoll, [edge, out]) => {
    epoll.add(edge!, EPOLLIN | EPOLLOUT | EPOLLET);
    epoll.add(out!, EPOLLIN);
    epoll.remove(out!);
    wake(edge!);
    wake(out!);
    assert.equal(epoll.wait(0), 1);
    assert.equal(epoll.flags(0), EPOLLIN | EPOLLOUT);
    assert.equal(epoll.wait(0), 0);
  }),
);

Deno.test(
  "the wait on another thread ends with an event",
  withEventfds(1, async (epoll, [fd]) => {
    epoll.add(fd!, EPOLLIN);
    const waiting = epoll.waitAsync(60_000);
    wake(fd!);
    assert.equal(await waiting, 1);
    assert.equal(epoll.fd(0), fd);
  }),
);

Deno.test(
  "a descriptor that cannot be watched is a SystemError",
  withEventfds(0, (epoll) => {
    assert.throws(
      () => epoll.add(1_000_000, EPOLLIN),
      (error) => error instanceof SystemError && error.code === "EBADF",
    );
  }),
);

import { strict as assert } from "node:assert";
import type { Timer } from "../net/clock.ts";
import { type FlowEvents, observeRoute } from "./observe_route.ts";
import { isStreamed } from "./response.ts";
import { get } from "./testkit/get.ts";
import { textOf } from "./testkit/text_of.ts";

function bed(past: readonly string[] = []) {
  const followers = new Set<(events: FlowEvents) => void>();
  const asked: unknown[] = [];
  const heartbeats: (() => void)[] = [];
  const clock = {
    after(_delay: number, run: () => void): Timer {
      heartbeats.push(run);
      return { cancel: () => void heartbeats.splice(heartbeats.indexOf(run), 1) };
    },
  };
  const handler = observeRoute({
    last: (filter, most) => {
      asked.push([filter, most]);
      return Promise.resolve(past.slice(-most));
    },
    follow(_filter, onEvents) {
      followers.add(onEvents);
      return () => followers.delete(onEvents);
    },
  }, clock);
  const ask = async (query: string) => await handler(get("/observe", query));
  const stream = async (query: string) => {
    const response = await ask(query);
    assert.ok(isStreamed(response));
    return response;
  };
  let taken = 0;
  const happen = (lines: readonly string[], lost = 0) => {
    for (const follower of followers) {
      follower({
        events: lines.map((line) => new TextEncoder().encode(`data: ${line}\n\n`)),
        lost,
        taken: () => taken++,
      });
    }
  };
  return { ask, stream, happen, followers, heartbeats, asked, taken: () => taken };
}

Deno.test("/observe: the past first, then events as they happen", async () => {
  const { stream, happen, taken, followers } = bed(["1", "2", "3"]);
  const response = await stream("last=2&state=open");
  assert.deepEqual(response.headers[0], ["content-type", "text/event-stream"]);
  assert.equal(await response.next(), ": flows\n\ndata: 2\n\ndata: 3\n\n");
  const waiting = response.next();
  happen(["4"]);
  assert.equal(textOf(await waiting), "data: 4\n\n");
  // The next piece is asked for when this one was written.
  assert.equal(taken(), 0);
  happen(["5", "6"], 17);
  assert.equal(await response.next(), "event: lost\ndata: 17\n\n");
  assert.equal(taken(), 1);
  assert.equal(textOf(await response.next()), "data: 5\n\n");
  assert.equal(textOf(await response.next()), "data: 6\n\n");
  assert.equal(taken(), 1);
  const next = response.next();
  assert.equal(taken(), 2);
  response.close();
  assert.equal(await next, null);
  assert.equal(followers.size, 0);
});

Deno.test("/observe: events that happen while the past is read come behind it", async () => {
  const { ask, happen } = bed(["1"]);
  const asking = ask("last=1");
  happen(["2"]);
  const response = await asking;
  assert.ok(isStreamed(response));
  assert.match(String(await response.next()), /data: 1/);
  assert.equal(textOf(await response.next()), "data: 2\n\n");
  response.close();
});

Deno.test("/observe: without follow the answer ends behind the past", async () => {
  const { stream, asked, followers } = bed(["1"]);
  const response = await stream("last=5&follow=false&namespace=shop");
  assert.deepEqual([await response.next(), await response.next()], [": flows\n\ndata: 1\n\n", null]);
  assert.deepEqual([asked, followers.size], [[[{ namespace: "shop" }, 5]], 0]);
  response.close();
});

Deno.test("/observe: a comment is sent while nothing happens; a drain and a close end the answer", async () => {
  const { stream, heartbeats } = bed();
  const response = await stream("");
  assert.equal(await response.next(), ": flows\n\n");
  const waiting = response.next();
  heartbeats.at(-1)!();
  assert.equal(await waiting, ": nothing has happened\n\n");
  const last = response.next();
  response.drain!();
  assert.equal(await last, null);
  response.close();
  assert.equal(heartbeats.length, 0);
});

Deno.test("/observe: invalid parameters, and more readers than eight", async () => {
  const { ask, stream } = bed();
  for (const query of ["last=x", "last=10001", "last=-1", "follow=1", "state=x", "older=5"]) {
    assert.equal((await ask(query)).status, 400, query);
  }
  const readers = await Promise.all(Array.from({ length: 8 }, () => stream("")));
  assert.equal((await ask("")).status, 503);
  readers[0]!.close();
  assert.equal((await ask("")).status, 200);
});

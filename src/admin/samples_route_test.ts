import { strict as assert } from "node:assert";
import { isStreamed } from "./response.ts";
import { samplesRoute } from "./samples_route.ts";
import { get } from "./testkit/get.ts";

function bed() {
  const followers = new Set<(row: readonly number[]) => void>();
  const handler = samplesRoute({
    every: 5000,
    names: ["time", "open"],
    rows: () => [[1, 10], [2, 20]],
    follow(onSample) {
      followers.add(onSample);
      return () => followers.delete(onSample);
    },
  }, { after: () => ({ cancel() {} }) });
  const open = async (query = "") => {
    const response = await handler(get("/samples", query));
    assert.ok(isStreamed(response));
    return response;
  };
  const happen = (row: readonly number[]) => followers.forEach((follower) => follower(row));
  return { handler, open, happen, followers };
}

const HOUR = 'event: hour\ndata: {"every":5000,"names":["time","open"],"samples":[[1,10],[2,20]]}\n\n';

Deno.test("/samples: the last hour, then each sample", async () => {
  const { open, happen, followers } = bed();
  const response = await open();
  assert.deepEqual(response.headers[0], ["content-type", "text/event-stream"]);
  assert.equal(await response.next(), HOUR);
  happen([3, 30]);
  assert.equal(await response.next(), "data: [3,30]\n\n");
  response.close();
  assert.equal(followers.size, 0);
});

Deno.test("/samples: without follow it ends behind the hour", async () => {
  const response = await bed().open("follow=false");
  assert.deepEqual([await response.next(), await response.next()], [HOUR, null]);
  response.close();
});

Deno.test("/samples: a reader that takes nothing is ended, and holds a few samples", async () => {
  const { open, happen } = bed();
  const response = await open();
  for (let i = 0; i < 100; i++) happen([i, i]);
  let events = 0;
  while (await response.next() !== null) events++;
  assert.equal(events, 5);
  response.close();
});

Deno.test("/samples: eight readers at a time", async () => {
  const { handler, open } = bed();
  const readers = await Promise.all(Array.from({ length: 8 }, () => open()));
  assert.equal((await handler(get("/samples"))).status, 503);
  readers[0]!.close();
  assert.equal((await handler(get("/samples"))).status, 200);
});

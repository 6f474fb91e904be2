import { strict as assert } from "node:assert";
import { connectionsRoute } from "./connections_route.ts";
import { isStreamed } from "./response.ts";
import { get } from "./testkit/get.ts";
import { textOf } from "./testkit/text_of.ts";

/** Connections 0 to `count` - 1 in slices of three; the cursor of each is its number. */
function bed(count: number) {
  let read = 0, isClosed = false;
  const asked: unknown[] = [];
  const handler = connectionsRoute((filter, after, most) => {
    asked.push(filter);
    if (after !== null && !/^[0-9]+$/.test(after)) return null;
    return (async function* () {
      try {
        const from = after === null ? 0 : Number(after) + 1, end = Math.min(count, from + (most ?? count));
        for (let at = from; at < end; at += 3) {
          const numbers = Array.from({ length: Math.min(3, end - at) }, (_, i) => at + i);
          read += numbers.length;
          const rows = numbers.map((number) => `{"n":${number}}`).join(",\n");
          yield await Promise.resolve({
            rows: [new TextEncoder().encode(rows.slice(0, 4)), new TextEncoder().encode(rows.slice(4))],
            isFull: at + 3 >= from + (most ?? Infinity),
            cursor: `${numbers.at(-1)}`,
          });
        }
      } finally {
        isClosed = true;
      }
    })();
  }, 30_000);
  const ask = (query: string) => Promise.resolve(handler(get("/connections", query)));
  const page = async (query: string) => {
    const response = await ask(query);
    assert.ok(isStreamed(response), String((response as { body?: unknown }).body));
    let text = "";
    for (let piece; (piece = await response.next()) !== null;) text += textOf(piece);
    response.close();
    const { connections, next } = JSON.parse(text);
    return { numbers: connections.map(({ n }: { n: number }) => n), next };
  };
  return { ask, page, asked, read: () => read, isClosed: () => isClosed };
}

Deno.test("/connections: all of them, or none, are a valid document", async () => {
  assert.deepEqual(await bed(7).page(""), { numbers: [0, 1, 2, 3, 4, 5, 6], next: null });
  assert.deepEqual(await bed(0).page(""), { numbers: [], next: null });
});

Deno.test("/connections: pages follow one another without gap and repetition", async () => {
  for (const limit of [1, 2, 3, 4, 7, 8]) {
    const { page } = bed(7);
    const all: number[] = [];
    let next: string | null = null;
    do {
      const after: string = next === null ? "" : `&after=${next}`;
      const { numbers, next: cursor }: { numbers: number[]; next: string | null } = await page(
        `limit=${limit}${after}`,
      );
      assert.ok(numbers.length <= limit);
      all.push(...numbers);
      next = cursor;
    } while (next !== null);
    assert.deepEqual(all, [0, 1, 2, 3, 4, 5, 6], `limit ${limit}`);
  }
});

Deno.test("/connections: no more is read than a page needs", async () => {
  const { page, read, isClosed } = bed(1000);
  await page("limit=4");
  assert.ok(read() <= 6);
  assert.equal(isClosed(), true);
});

Deno.test("/connections: invalid parameters are named, and more lists than four at a time are refused", async () => {
  const { ask, asked } = bed(7);
  for (const query of ["limit=0", "limit=x", "limit=1000001", "after=x", "state=x"]) {
    const response = await ask(query);
    assert.equal(response.status, 400, query);
  }
  const running = await Promise.all([1, 2, 3, 4].map(() => ask("namespace=shop")));
  assert.equal((await ask("")).status, 503);
  for (const response of running) response.close!();
  assert.equal((await ask("")).status, 200);
  assert.deepEqual(asked.at(-2), { namespace: "shop" });
});

Deno.test("connections: cut=true lists those that are older than a drain waits", async () => {
  const { page, ask, asked } = bed(1);
  await page("cut=true&namespace=a");
  await page("cut=true&older=5m");
  await page("cut=false&older=1s");
  assert.deepEqual(asked, [{ namespace: "a", olderThan: 30_000 }, { olderThan: 300_000 }, { olderThan: 1_000 }]);
  assert.equal((await ask("cut=1")).status, 400);
});

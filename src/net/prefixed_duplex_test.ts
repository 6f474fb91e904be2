import { strict as assert } from "node:assert";
import { MemoryNetwork } from "./testkit/memory_network.ts";
import { PrefixedDuplex } from "./prefixed_duplex.ts";

function bed(prefix: string) {
  const network = new MemoryNetwork();
  const [near, far] = network.pair();
  const duplex = new PrefixedDuplex(new TextEncoder().encode(prefix), near);
  const events: string[] = [];
  duplex.start({
    onReadable: () => events.push("readable"),
    onWritable: () => events.push("writable"),
    onFailure: () => events.push("failure"),
  });
  far.start({ onReadable() {}, onWritable() {}, onFailure() {} });
  const into = new Uint8Array(4);
  const read = () => new TextDecoder().decode(into.subarray(0, duplex.read(into)));
  return { network, duplex, far, near, events, read, into };
}

Deno.test("a prefix comes first, in pieces, then what the stream has", () => {
  const { network, duplex, far, read } = bed("abcdef");
  far.write(new TextEncoder().encode("gh"));
  network.runUntilIdle();
  assert.deepEqual([read(), duplex.readable, read(), duplex.readable, read()], ["abcd", true, "ef", true, "gh"]);
  assert.equal(duplex.readable, false);
});

Deno.test("a prefix is readable though the stream has nothing; the end comes behind it", () => {
  const { network, duplex, far, read } = bed("ab");
  far.end();
  network.runUntilIdle();
  assert.deepEqual([duplex.readable, duplex.ended], [true, false]);
  assert.equal(read(), "ab");
  assert.deepEqual([read(), duplex.ended], ["", true]);
});

Deno.test("scattered reads take the prefix, then go through", () => {
  const { network, duplex, far } = bed("abc");
  const into = new Uint8Array(10);
  const segments = Int32Array.of(1, 2, 5, 3);
  far.write(new TextEncoder().encode("xyz"));
  network.runUntilIdle();
  assert.equal(duplex.readScatter(into, segments, 2), 2);
  assert.equal(duplex.readScatter(into, segments, 2), 1);
  assert.equal(duplex.readScatter(into, segments, 2), 3);
  assert.equal(new TextDecoder().decode(into), "\0xy\0\0z\0\0\0\0");
});

Deno.test("everything else is the stream's own", () => {
  const { network, duplex, far, near, events } = bed("");
  assert.deepEqual([duplex.local, duplex.remote], [near.local, near.remote]);
  assert.equal(duplex.write(Uint8Array.of(1)), 1);
  assert.equal(duplex.writeGather(Uint8Array.of(1, 2, 3), Int32Array.of(1, 2), 1), 2);
  duplex.end();
  network.runUntilIdle();
  assert.equal(far.unread, 3);
  far.close(true);
  network.runUntilIdle();
  assert.deepEqual(events, ["failure"]);
  assert.equal(duplex.failure?.code, "ECONNRESET");
  duplex.close();
});

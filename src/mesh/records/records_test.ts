import { strict as assert } from "node:assert";
import * as fc from "../../../testkit/repeatable.ts";
import type { ServiceChange, WorkloadChange } from "../model/changes.ts";
import { CHANGES } from "../testkit/arbitrary_mesh.ts";
import { ports, workload } from "../testkit/fixture.ts";
import { RecordArena } from "./record_arena.ts";
import { HEAD, type Location, RecordMemory, SEGMENT_BYTES } from "./record_memory.ts";
import { RecordReader } from "./record_reader.ts";
import { RecordWriter } from "./record_writer.ts";
import { TextTable } from "./text_table.ts";
import { readService, writeService } from "./service_record.ts";
import { eachService, readEndpoint, readWorkload, writeWorkload } from "./workload_record.ts";

const SEED = 7;

function bed() {
  const memory = new RecordMemory();
  const arena = new RecordArena(memory, "own"), reader = new RecordReader(memory);
  const texts = new TextTable(), writer = new RecordWriter(texts);
  const add = (change: WorkloadChange | ServiceChange) => {
    const record = bytesOf(writer, change);
    memory.addTexts("own", texts.takeAdded());
    return arena.add(record);
  };
  return { memory, arena, reader, add };
}

Deno.test("records, property: workloads and services are read back as they were written", () => {
  const { reader, add } = bed();
  fc.assert(fc.property(CHANGES, (changes) => {
    const resources = changes.filter((each) => each.kind === "workload" || each.kind === "service");
    const written = resources.map((change) => ({ change, at: add(change) }));
    for (const { change, at } of written) {
      if (change.kind === "service") {
        assert.deepEqual(readService(reader, at), change.service);
        continue;
      }
      const { workload, endpoints } = change;
      assert.deepEqual(readWorkload(reader, at), workload);
      const keys: string[] = [];
      eachService(reader, at, (key) => keys.push(key));
      assert.deepEqual(keys, [...endpoints.keys()]);
      for (const [key, ports] of endpoints) {
        assert.deepEqual(readEndpoint(reader, at, key), { workloadUid: workload.uid, ports, status: workload.status });
      }
    }
  }));
});

function bytesOf(writer: RecordWriter, change: WorkloadChange | ServiceChange): Uint8Array {
  return change.kind === "workload" ? writeWorkload(writer, SEED, change) : writeService(writer, SEED, change.service);
}

Deno.test("records: a workload whose services are not those of its ports, and one with many of both", () => {
  const { reader, add } = bed();
  const some = workload({ uid: "w", services: { "ns/a": { 80: 8080 } } });
  const many = workload({
    uid: "x".repeat(300),
    ips: Array.from({ length: 200 }, (_, i) => `10.0.0.${i}`),
    services: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`ns/${i}`, { [i]: 8080, 65535: i }])),
  });
  const unlisted: WorkloadChange = { ...some, workload: { ...some.workload, services: [] } };
  for (const change of [some, many, unlisted, { ...some, endpoints: new Map() }]) {
    assert.deepEqual(readWorkload(reader, add(change)), change.workload);
  }
  const huge: WorkloadChange = {
    ...some,
    endpoints: new Map([[some.workload.services[0]!, ports(Object.fromEntries([...Array(60_000).keys()].entries()))]]),
  };
  const at = add(huge);
  assert.equal(readEndpoint(reader, at, some.workload.services[0]!)!.ports.size, 60_000);
});

/** A record of `bytes` bytes whose hash is `mark`. */
function record(mark: number, bytes: number): Uint8Array {
  const words = new Uint32Array(bytes / 4);
  words[HEAD.units] = bytes / 8;
  words[HEAD.hash] = mark;
  return new Uint8Array(words.buffer);
}

Deno.test("arena, property: records keep their bytes, and the memory is at most twice theirs and some segments", () => {
  const { memory, arena } = bed();
  const places = new Map<number, Location>();
  const compact = () =>
    arena.compact((from, to) => {
      const mark = memory.head(to, HEAD.hash);
      assert.equal(places.get(mark), from);
      places.set(mark, to);
      forget(from);
    });
  const forget = (at: Location) => {
    arena.retire(at);
    arena.release(at);
  };
  let seed = 5;
  const below = (limit: number) => (seed = (seed * 48271) % 0x7fffffff) % limit;
  let next = 0, longest = 0;
  for (let round = 0; round < 8; round++) {
    // Fills several segments, then releases nearly all, so that each segment has a record left.
    for (let i = 0; i < 400; i++) {
      const bytes = below(100) === 0 ? SEGMENT_BYTES + 8 * below(100) : 24 + 8 * below(1000);
      places.set(next, arena.add(record(next, bytes)));
      next++;
      compact();
    }
    for (const [mark, at] of [...places]) {
      if (below(20) === 0) continue;
      forget(places.get(mark) ?? at);
      places.delete(mark);
      compact();
      for (const [each, place] of [...places].slice(0, 3)) assert.equal(memory.head(place, HEAD.hash), each);
    }
    for (let i = 0; i < 50; i++) compact();
    const { used, live } = arena.bytes;
    assert.ok(used <= 2 * live + 4 * SEGMENT_BYTES, `${used} ${live}`);
    longest = Math.max(longest, used);
  }
  for (const [mark, place] of places) assert.equal(memory.head(place, HEAD.hash), mark);
  for (const place of places.values()) forget(place);
  assert.equal(arena.bytes.live, 0);
  assert.ok(arena.bytes.used <= SEGMENT_BYTES, "the current segment is left");
});

Deno.test("records: more common texts than the table has are in the records", () => {
  const { reader, add } = bed();
  const changes = Array.from({ length: 9000 }, (_, i) => workload({ uid: `${i}`, node: `node-${i}`, namespace: "é" }));
  const places = changes.map(add);
  for (const [i, change] of changes.entries()) assert.deepEqual(readWorkload(reader, places[i]!), change.workload);
});

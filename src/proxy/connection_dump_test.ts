import { strict as assert } from "node:assert";
import { parseSocketAddress } from "../net/address.ts";
import { dumpConnections, type DumpPlace, PAGE_MAX } from "./connection_dump.ts";
import type { Connections, LiveConnection } from "./connections.ts";

const at = (text: string) => parseSocketAddress(text)!;

/** A listener with outbound connections, whose number is also the port of their client. */
function listener(...registrations: readonly number[]): Pick<Connections, "present" | "has"> {
  const present = registrations.map((registration) => ({
    registration,
    call: null,
    way: {
      source: at(`10.0.0.1:${registration}`),
      original: at("10.0.0.2:80"),
      actual: at("10.0.0.2:15008"),
      protocol: "HBONE",
      leadsTo: "waypoint",
    },
    isHalfClosed: false,
    flow: null,
  })) as unknown as LiveConnection[];
  return { present: () => present, has: ({ registration }: LiveConnection) => registration !== 4 };
}

Deno.test("config 4.4: connections come in pages, in the order of listeners, without those that have ended", () => {
  const many = Array.from({ length: PAGE_MAX + 10 }, (_, i) => i + 1);
  const all = [listener(7, 9), listener(...many), listener()];
  const found: string[] = [];
  let pages = 0;
  for (let after: DumpPlace | null = null, more = true; more; pages++) {
    const { entries, next } = dumpConnections(all, "outbound", after);
    assert.ok(entries.length <= PAGE_MAX);
    found.push(...entries.map(({ src }) => src));
    more = next !== null;
    after = next;
  }
  const expected = [7, 9, ...many.filter((number) => number !== 4)].map((port) => `10.0.0.1:${port}`);
  assert.deepEqual([pages, found], [2, expected]);
  assert.deepEqual(dumpConnections(all, "inbound", null), { entries: [], next: null });
});

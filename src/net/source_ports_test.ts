import { strict as assert } from "node:assert";
import { portsBelow, SourcePorts } from "./source_ports.ts";

const DEFAULT = "32768\t60999\n";
const OWN_PORTS = [15001, 15006, 15008];

Deno.test("source ports: the longest interval below the kernel's range, without our own ports", () => {
  assert.deepEqual(portsBelow(DEFAULT, "\n", OWN_PORTS), { first: 15009, last: 32767 });
  assert.deepEqual(portsBelow(DEFAULT, "\n", []), { first: 1024, last: 32767 });
  assert.deepEqual(portsBelow("15007 65000", "", OWN_PORTS), { first: 1024, last: 15000 });
});

Deno.test("source ports: reserved ports are left to the applications that they are reserved for", () => {
  assert.deepEqual(portsBelow(DEFAULT, "30000-32767\n", OWN_PORTS), { first: 15009, last: 29999 });
  assert.deepEqual(portsBelow(DEFAULT, "20000,25000-40000\n", OWN_PORTS), { first: 1024, last: 15000 });
  // Overlapping ones, a privileged one, and one above the range.
  assert.deepEqual(portsBelow(DEFAULT, "22,2000-9000,3000-4000,50000", []), { first: 9001, last: 32767 });
});

Deno.test("source ports: none where there is no room below the range", () => {
  assert.equal(portsBelow("1024 65535", "", OWN_PORTS), null);
  assert.equal(portsBelow("2047 65535", "", []), null);
  assert.deepEqual(portsBelow("2048 65535", "", []), { first: 1024, last: 2047 });
  assert.equal(portsBelow(DEFAULT, "1-65535", []), null);
  assert.equal(portsBelow("", "", []), null);
  assert.equal(portsBelow("many", "", []), null);
});

Deno.test("source ports: each port of the interval can be chosen", () => {
  const choose = (random: number) => new SourcePorts({ first: 2000, last: 2009 }, () => random).choose();
  assert.deepEqual([0, 0.1, 0.55, 0.999999].map(choose), [2000, 2001, 2005, 2009]);
});

import { strict as assert } from "node:assert";
import { LOOPBACK_V4 } from "../net/address.ts";
import { MemoryNetwork } from "../net/testkit/memory_network.ts";
import { newDnsShared } from "./dns_proxy.ts";
import { ExchangeBudget, type ExchangeHolder } from "./exchange_budget.ts";
import { Bed, decode, question } from "./testkit/dns_bed.ts";

class Holder implements ExchangeHolder {
  exchanges = 0;
  lost = 0;

  constructor(readonly budget: ExchangeBudget) {
    budget.add(this);
  }

  begin(count: number): void {
    for (let i = 0; i < count; i++) {
      this.exchanges++;
      this.budget.enforce();
    }
  }

  endOldest(): void {
    this.exchanges--;
    this.lost++;
  }
}

Deno.test("exchange budget: the pod that holds most exchanges loses its oldest one", () => {
  const budget = new ExchangeBudget(100);
  const [greedy, modest] = [new Holder(budget), new Holder(budget)];
  greedy.begin(90);
  modest.begin(10);
  assert.deepEqual([greedy.lost, modest.lost], [0, 0]);
  modest.begin(30);
  assert.deepEqual([greedy.exchanges, greedy.lost, modest.exchanges, modest.lost], [60, 30, 40, 0]);
  greedy.begin(50);
  assert.deepEqual([greedy.exchanges, modest.exchanges, modest.lost], [60, 40, 0]);
});

Deno.test("exchange budget: each pod keeps 32 exchanges, whatever the number of pods", () => {
  const budget = new ExchangeBudget(100);
  const holders = Array.from({ length: 20 }, () => new Holder(budget));
  for (const holder of holders.slice(1)) holder.begin(200);
  holders[0]!.begin(32);
  assert.ok(holders.every(({ exchanges }) => exchanges >= 32));
  assert.equal(budget.inFlight, 20 * 32);
  for (const holder of holders) budget.remove(holder);
  assert.equal(budget.inFlight, 0);
});

Deno.test("exchange budget: four pods whose names are never answered do not block other pods", () => {
  const network = new MemoryNetwork();
  const shared = newDnsShared(network);
  const beds = Array.from({ length: 5 }, (_, i) => {
    const place = { kind: "localhost", ipv6: false, port: 15053 + i } as const;
    return new Bed({ network, shared, listen: place, upstream: () => null, nameserver: `10.0.0.${10 + i}` });
  });
  for (const [i, bed] of beds.slice(0, 4).entries()) {
    const client = bed.udpClient({ ip: LOOPBACK_V4, port: 15053 + i });
    for (let name = 0; name < 300; name++) client.send(question("A", `www-${i}-${name}.example.com`));
    network.runUntilIdle();
  }
  assert.equal(shared.forward.exchanges.inFlight, 1024);
  const last = beds[4]!;
  last.upstream.script = () => ({ answers: [{ name: "good.example.com", type: "A", ttl: 60, data: "1.2.3.4" }] });
  const client = last.udpClient({ ip: LOOPBACK_V4, port: 15057 });
  client.send(question("A", "good.example.com"));
  network.runUntilIdle();
  assert.deepEqual(client.received.map((bytes) => decode(bytes).rcode), ["NOERROR"]);
  assert.equal(shared.forward.exchanges.inFlight, 1023);
});

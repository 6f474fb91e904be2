/** Lookups beyond the vectors of V8: deviations marked in B5 that are fixed here, log lines, random order. */
import { strict as assert } from "node:assert";
import { parseCidr } from "../mesh/model/cidr.ts";
import { MeshState } from "../mesh/state/state.ts";
import type { Fields } from "../telemetry/log_fields.ts";
import { lookup, type LookupSettings } from "./lookup.ts";
import { answered, Bed } from "./testkit/dns_bed.ts";
import { CLIENT, endpoint, fixtureChanges, service } from "./testkit/mesh.ts";
import { TYPE_A } from "./wire.ts";

const SETTINGS: LookupSettings = {
  clusterDomain: "cluster.local",
  searchDomains: null,
  preferredServiceNamespace: null,
  ipv6: true,
};

function addresses(bed: Bed, type: string, name: string): readonly string[] {
  return bed.ask(type, name).answers.filter((record) => record.type === type).map(({ data }) => data);
}

Deno.test("inpod B5.7: a service with capitals in its host name is found", () => {
  const bed = new Bed();
  bed.state.apply([service("ns1", "Shop.Example.COM", ["7.7.7.7"]), service("ns2", "shop.example.com", ["8.8.8.8"])]);
  assert.deepEqual(addresses(bed, "A", "shop.example.com"), ["7.7.7.7"]);
  assert.deepEqual(addresses(bed, "A", "SHOP.EXAMPLE.com"), ["7.7.7.7"]);
  bed.state.apply([{ kind: "remove-address", name: "ns1/Shop.Example.COM" }]);
  assert.deepEqual(addresses(bed, "A", "shop.example.com"), ["8.8.8.8"]);
  assert.equal(bed.state.serviceByHostname("Shop.example.com", null), null, "elsewhere a name is exact");
});

Deno.test("inpod B5.7: xn-- labels are compared as they are", () => {
  const bed = new Bed();
  bed.state.apply([service("ns1", "xn--bcher-kva.example", ["7.7.7.7"])]);
  assert.deepEqual(addresses(bed, "A", "xn--bcher-kva.example"), ["7.7.7.7"]);
});

Deno.test("inpod B5.5: dedicated mode has the search domains of resolv.conf", () => {
  const bed = new Bed({ searchDomains: ["corp.example"] });
  const { answers } = bed.ask("A", "www.google.com.corp.example.");
  assert.deepEqual(answers.map(({ type, data }) => `${type} ${data}`), ["CNAME www.google.com", "A 1.1.1.1"]);
  assert.equal(bed.ask("A", "www.google.com.svc.cluster.local.").rcode, "NXDOMAIN");
});

Deno.test("inpod B5.7: a service with CIDR addresses only is not answered from the mesh", () => {
  const bed = new Bed();
  const cidrVips = [{ network: "nw1", cidr: parseCidr("10.0.0.0/8")! }];
  bed.state.apply([service("ns1", "cidr.example.com", [], { cidrVips })]);
  assert.equal(bed.ask("A", "cidr.example.com").rcode, "NXDOMAIN");
});

Deno.test("inpod B5.7: a service that cannot be used does not hide one that can", () => {
  const bed = new Bed();
  bed.state.apply([service("ns1", "mixed.example.com", []), service("ns2", "mixed.example.com", ["7.7.7.7"])]);
  assert.deepEqual(addresses(bed, "A", "mixed.example.com"), ["7.7.7.7"]);
});

Deno.test("inpod B5.8: addresses are answered in every order", () => {
  const state = new MeshState();
  state.apply(fixtureChanges());
  let seed = 1;
  const random = () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
  const orders = new Map<string, number>();
  for (let i = 0; i < 2400; i++) {
    const answer = lookup(state, CLIENT, { name: "details.ns2.svc.cluster.remote", type: TYPE_A }, SETTINGS, random);
    const order = answer!.addresses.join();
    orders.set(order, (orders.get(order) ?? 0) + 1);
  }
  assert.equal(orders.size, 24);
  assert.ok([...orders.values()].every((count) => count > 50 && count < 150), [...orders.values()].join());
});

Deno.test("inpod B5.7, B5.8: events of a lookup are reported", () => {
  const state = new MeshState();
  state.apply([...fixtureChanges(), service("ns1", "gone.ns1.svc.cluster.local", [], {}, [endpoint("nobody")])]);
  const notices: [string, Fields][] = [];
  const ask = (name: string) =>
    lookup(
      state,
      CLIENT,
      { name, type: TYPE_A },
      SETTINGS,
      () => 0,
      (message, fields) => notices.push([message, fields]),
    );
  assert.equal(ask("nslocal.ns2.svc.cluster.local"), null);
  assert.deepEqual(notices.shift(), ["visibility filtering: service not visible to client namespace", {
    hostname: "nslocal.ns2.svc.cluster.local",
    service_namespace: "ns2",
    client_namespace: "ns1",
  }]);
  notices.length = 0;
  assert.equal(ask("gone.ns1.svc.cluster.local")?.result, "no records");
  assert.deepEqual(notices, [["failed to fetch workload for Kubernetes//Pod/ns1/nobody", {}]]);
});

/** Lines of target `dns`, without their source. */
function accessLines(bed: Bed): string[] {
  const source = 'src.workload="client" src.namespace="ns1" ';
  return bed.lines.filter((line) => line.startsWith("debug dns src")).map((line) => line.slice(10).replace(source, ""));
}

Deno.test("inpod B5.12: the access log", () => {
  const bed = new Bed({ logFilter: "debug" });
  bed.ask("A", "WWW.google.com.");
  bed.ask("A", "www.google.com.ns1.svc.cluster.local.");
  bed.ask("A", "details.ns2.svc.cluster.remote.");
  bed.ask("AAAA", "ipv4.localhost.");
  bed.ask("A", "headless-ipv6.ns1.svc.cluster.local.");
  bed.ask("A", "www.bing.com.", {}, "tcp");
  bed.ask("TXT", "nobody.example.");
  bed.ask("A", "localhost.");
  bed.upstream.script = () => ({ flags: answered() });
  bed.ask("MX", "empty.example.");
  bed.upstream.script = () => null;
  bed.ask("CAA", "silent.example.", {}, "udp", 20_000);
  assert.deepEqual(accessLines(bed), [
    'query="A" domain="WWW.google.com." result="success" endpoints=1',
    'query="A" domain="www.google.com.ns1.svc.cluster.local." result="success" endpoints=1',
    'query="A" domain="details.ns2.svc.cluster.remote." result="success" endpoints=4',
    'query="AAAA" domain="ipv4.localhost." result="no records" endpoints=0',
    'query="A" domain="headless-ipv6.ns1.svc.cluster.local." result="service does not support this record type" endpoints=0',
    'query="A" domain="www.bing.com." result="forwarded" endpoints=1',
    'query="TXT" domain="nobody.example." result="forwarding failed (NXDomain)" endpoints=0',
    'query="A" domain="localhost." result="forwarded" endpoints=1',
    'query="MX" domain="empty.example." result="forwarding failed (no records found)" endpoints=0',
    'query="CAA" domain="silent.example." result="forwarding failed (request timed out)" endpoints=0',
  ]);
});

Deno.test("inpod B5.12: log lines of a lookup have its span when the level is debug", () => {
  const bed = new Bed({ logFilter: "debug" });
  bed.ask("A", "nslocal.ns2.svc.cluster.local.");
  const line = bed.lines.find((text) => text.includes("visibility filtering"));
  assert.match(
    line!,
    /^debug dns::server:lookup\{src=127\.0\.0\.1:\d+ query=A name=nslocal\.ns2\.svc\.cluster\.local\.\} /,
  );
});

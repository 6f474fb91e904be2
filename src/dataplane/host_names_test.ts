/** Names in place of addresses: workloads without one (inpod-dns V9 O), SOCKS5 destinations (dataplane 6, 10.7). */
import { strict as assert } from "node:assert";
import { answered, nxdomain, type Packet, type Script, ScriptedServer } from "../dns/testkit/dns_bed.ts";
import type { TestSocket } from "../hbone/testkit/socket.ts";
import type { MeshChange } from "../mesh/model/changes.ts";
import { DEFAULT_SERVICE } from "../mesh/model/defaults.ts";
import { namespacedHostname, type Workload, workloadUid } from "../mesh/model/model.ts";
import { parseIp } from "../net/address.ts";
import { at, echo, Testbed, type TestNode, workloadAt } from "./testkit/testbed.ts";

const CLIENT = "10.0.0.1", CLIENT6 = "fd00::1", VIP = "10.96.0.5", VIP6 = "fd96::5";
const FAR = "203.0.113.7", FAR6 = "2001:db8::7", NAMESERVER = "10.0.0.10";
const HOST = "ext.example.com";

interface Scene {
  readonly bed: Testbed;
  readonly node: TestNode;
  readonly upstream: ScriptedServer;
}

/** Answers by type. */
function having(addresses: Readonly<Record<string, string>>): Script {
  return ({ questions: [asked] }): Packet => {
    const data = addresses[asked!.type];
    if (asked!.name !== HOST || data === undefined) return { flags: answered(asked!.name === HOST ? 0 : 3) };
    return { flags: answered(), answers: [{ name: HOST, type: asked!.type, ttl: 60, data }] };
  };
}

/** A service with two addresses, whose one endpoint is known by its name. */
function scene(script: Script, words: Partial<Workload> = {}, env: Record<string, string> = {}): Scene {
  const bed = new Testbed();
  const node = bed.node("client", CLIENT, { env });
  bed.memory.assign(node.host.namespace, parseIp(CLIENT6)!);
  const nameserver = bed.host(NAMESERVER);
  const upstream = new ScriptedServer(bed.memory, at(`${NAMESERVER}:53`), script, nameserver.namespace);
  bed.host(FAR);
  bed.memory.assign(bed.host(FAR).namespace, parseIp(FAR6)!);
  const key = namespacedHostname("default", HOST);
  const vips = [VIP, VIP6].map((text) => ({ network: "", ip: parseIp(text)! }));
  const uid = workloadUid("Kubernetes//ServiceEntry/default/ext");
  const ports = new Map([[80, 8080]]);
  bed.apply(
    {
      kind: "service",
      service: { ...DEFAULT_SERVICE, key, name: HOST, hostname: HOST, namespace: "default", vips, ports },
      endpoints: [],
    },
    {
      ...workloadAt("ext", FAR, { workloadIps: [], hostname: HOST, uid, ...words }),
      endpoints: new Map([[key, ports]]),
    } as MeshChange,
  );
  return { bed, node, upstream };
}

function call({ bed }: Scene, to: string): TestSocket {
  const client = bed.connect(CLIENT, to);
  client.send("hello").end();
  bed.run();
  return client;
}

function resolutions({ node }: Scene): { series: number; count: number; labels: string } {
  const cells = node.metrics.snapshot().cells.filter(({ family }) => family === "istio_on_demand_dns");
  return {
    series: cells.length,
    count: cells.reduce((sum, { value }) => sum + value, 0),
    labels: cells[0]?.labels ?? "",
  };
}

Deno.test("inpod O1, dataplane TE-13: two connections cause two resolutions, one series and one query", () => {
  const here = scene(having({ A: FAR }));
  here.bed.listen(`${FAR}:8080`, echo);
  for (let i = 0; i < 2; i++) assert.equal(call(here, `${VIP}:80`).text, "hello");
  const { series, count, labels } = resolutions(here);
  assert.deepEqual([series, count], [1, 2]);
  assert.match(
    labels,
    /^source_workload="client-app",source_canonical_service="client",.*,hostname="ext\.example\.com"$/,
  );
  // A, AAAA; the empty AAAA has no SOA, so it is queried again.
  assert.deepEqual(new Set(here.upstream.questions), new Set([`A ${HOST}`, `AAAA ${HOST}`]));
  here.bed.assertClean();
});

Deno.test("inpod O2: a name that cannot be resolved", () => {
  const here = scene(nxdomain);
  const client = call(here, `${VIP}:80`);
  assert.notEqual(client.fate, "open");
  const { node } = here;
  assert.ok(
    node.lines.some((line) =>
      /^warn state:outbound\{id=[0-9a-f]{32}\} dns lookup failed err=NXDomain hostname=ext\.example\.com$/.test(line)
    ),
  );
  assert.match(
    node.accessLine,
    /error="no ip addresses were resolved for workload: Kubernetes\/\/ServiceEntry\/default\/ext"/,
  );
  assert.equal(resolutions(here).count, 1);
  here.bed.assertClean();
});

Deno.test("inpod B6.2: an answer without addresses", () => {
  const here = scene(({ questions: [asked] }) => ({
    flags: answered(),
    answers: [{ name: asked!.name, type: "CNAME", ttl: 60, data: asked!.name }],
  }));
  call(here, `${VIP}:80`);
  assert.match(here.node.accessLine, /but valid dns response had no A\/AAAA records"/);
  here.bed.assertClean();
});

const CHOICES:
  readonly (readonly [id: string, addresses: Readonly<Record<string, string>>, to: string, dialled: string])[] = [
    ["O3", { A: FAR, AAAA: FAR6 }, VIP, FAR],
    ["O3, IPv6", { A: FAR, AAAA: FAR6 }, VIP6, FAR6],
    ["O4", { AAAA: FAR6 }, VIP, FAR6],
  ];

for (const [id, addresses, to, dialled] of CHOICES) {
  Deno.test(`inpod ${id}: ${Object.keys(addresses).join(" and ")}, called by ${to}`, () => {
    const here = scene(having(addresses));
    const at = (ip: string) => ip.includes(":") ? `[${ip}]:8080` : `${ip}:8080`;
    for (const ip of [FAR, FAR6]) here.bed.listen(at(ip), echo);
    assert.equal(call(here, to.includes(":") ? `[${to}]:80` : `${to}:80`).text, "hello");
    assert.ok(here.node.accessLine.includes(`dst.addr=${at(dialled)} `), here.node.accessLine);
    here.bed.assertClean();
  });
}

Deno.test("inpod O5: a workload with addresses is not resolved, and the service's family decides", () => {
  const here = scene(having({ A: "192.0.2.1" }), { workloadIps: [parseIp(FAR6)!, parseIp(FAR)!] });
  const key = namespacedHostname("default", HOST);
  const service = { ...here.node.plane.state.service(key)!.service, ipFamilies: "IPv4" as const };
  here.bed.apply({ kind: "service", service, endpoints: [] });
  here.bed.listen(`${FAR}:8080`, echo);
  assert.equal(call(here, `[${VIP6}]:80`).text, "hello");
  assert.ok(here.node.accessLine.includes(`dst.addr=${FAR}:8080 `), here.node.accessLine);
  assert.deepEqual([here.upstream.asked.length, resolutions(here).count], [0, 0]);
  here.bed.assertClean();
});

Deno.test("a client that closes ends its query; so does a drain", () => {
  for (const end of ["client", "drain"] as const) {
    const here = scene(() => null);
    const client = here.bed.connect(CLIENT, `${VIP}:80`);
    here.bed.run();
    assert.equal(here.upstream.asked.length, 2);
    if (end === "client") client.duplex.close(true);
    else here.node.stop();
    here.bed.run();
    assert.equal(here.node.pod.connectionCount, 0);
    here.bed.assertClean();
  }
});

const DNS = { UNSTABLE_ENABLE_SOCKS5: "true", ISTIO_META_DNS_CAPTURE: "true" };
const replied = (code: number) => [5, 0, 5, code, 0, 1, 0, 0, 0, 0, 0, 0];

/** All bytes of a SOCKS5 client: greeting, request with a name, payload. */
function asks(host: string, port: number, early = ""): Uint8Array {
  const name = [...new TextEncoder().encode(host)];
  return Uint8Array.from([
    5,
    1,
    0,
    5,
    1,
    0,
    3,
    name.length,
    ...name,
    port >> 8,
    port & 255,
    ...new TextEncoder().encode(early),
  ]);
}

function socks(here: Scene, bytes: Uint8Array): TestSocket {
  const socket = here.bed.connect(CLIENT, "127.0.0.1:15080");
  socket.send(bytes);
  here.bed.run();
  return socket;
}

Deno.test("dataplane SO-02: a name of the mesh is its virtual address", () => {
  const here = scene(having({ A: FAR }), { workloadIps: [parseIp(FAR)!] }, DNS);
  here.bed.listen(`${FAR}:8080`, echo);
  const socket = socks(here, asks(HOST, 80, "early"));
  assert.deepEqual([...socket.bytes], [...replied(0), ...new TextEncoder().encode("early")]);
  assert.deepEqual(here.upstream.asked, []);
  assert.equal(here.node.metrics.snapshot().cells.find(({ family }) => family === "istio_dns_requests")?.value, 1);
  socket.end();
  here.bed.run();
  here.bed.assertClean();
});

Deno.test("inpod B5.13: a name that is not in the mesh is resolved in the family of the client", () => {
  const here = scene(
    ({ questions: [asked] }) => ({
      flags: answered(),
      answers: asked!.type === "A" ? [{ name: asked!.name, type: "A", ttl: 60, data: FAR }] : [],
    }),
    {},
    DNS,
  );
  here.bed.listen(`${FAR}:80`, echo);
  const socket = socks(here, asks("www.example.org", 80, "x"));
  assert.deepEqual([...socket.bytes], [...replied(0), 120]);
  assert.deepEqual(here.upstream.questions, ["A www.example.org"]);
  socket.end();
  here.bed.run();
  here.bed.assertClean();
});

const FAILURES: readonly (readonly [what: string, host: string, script: Script, message: string])[] = [
  ["nobody has it", "www.example.org", nxdomain, "dns lookup: NXDomain"],
  ["no address", "www.example.org", () => ({ flags: answered() }), "dns response had no valid IP addresses"],
  ["no name", "a b", nxdomain, "dns: not a DNS name"],
];

for (const [what, host, script, message] of FAILURES) {
  Deno.test(`inpod B5.13, dataplane 6: reply 4 where there is ${what}`, () => {
    const here = scene(script, {}, DNS);
    const socket = socks(here, asks(host, 80));
    assert.deepEqual([...socket.bytes], replied(4));
    assert.notEqual(socket.fate, "open");
    const line = `failed to negotiate socks connection: HostUnreachable: ${message}`;
    assert.ok(here.node.lines.some((found) => found.endsWith(`} ${line}`)), here.node.lines.join("\n"));
    here.bed.assertClean();
  });
}

Deno.test("inpod B5.13: a SOCKS5 client that closes while its name is resolved leaves nothing behind", () => {
  const here = scene(() => null, {}, DNS);
  const socket = socks(here, asks("www.example.org", 80, "early"));
  assert.equal(here.upstream.asked.length, 1);
  socket.send("more");
  here.bed.run();
  socket.duplex.close(true);
  here.bed.run();
  assert.equal(here.node.pod.connectionCount, 0);
  here.bed.assertClean();
});

/**
 * The DNS of captured pods with real programs: dig in the pods, dnsmasq as the cluster's nameserver, one that the test
 * scripts, and the agent's own redirection (`docs/spec/inpod-dns.md` B5, A3.2 D1 D2 R3 R4).
 */
import { strict as assert } from "node:assert";
import { parseSample, type Sample, sumOf } from "../lab/scrape.ts";
import { answered, decode, encode, ScriptedServer } from "../src/dns/testkit/dns_bed.ts";
import { parseIp } from "../src/net/address.ts";
import { ReactorRig } from "../src/net/testkit/reactor.ts";
import { libc } from "../src/os/libc.ts";
import { openNamespace } from "../src/os/namespace.ts";
import { get, nginx } from "../lab/bed/apps.ts";
import { Cluster } from "../lab/bed/cluster.ts";
import { SERVICE } from "../lab/bed/mesh.ts";
import { startDnsmasq, withResolver } from "../testkit/dns_server.ts";
import { type Namespace } from "../lab/namespace.ts";
import { Program } from "../lab/program.ts";
import { testNeeding } from "../lab/needs.ts";
import { eventually } from "../lab/eventually.ts";

/** Further addresses of the outside host. */
const DNSMASQ = "10.200.0.53", DNSMASQ6 = "fd20::53";
/** Addresses without a host: what is sent there is either redirected or lost. */
const NOWHERE = "10.96.0.10", NOWHERE6 = "fd96::10";

const PODS = [
  { name: "client-1", node: 1 },
  { name: "server-1", node: 1, serves: true },
  { name: "client-2", node: 2 },
] as const;

const RECORDS = [
  "--host-record=www.example.com,192.0.2.80,2001:db8::80",
  "--cname=alias.example.com,www.example.com",
  "--txt-record=text.example.com,hello,world",
  "--srv-host=_http._tcp.example.com,www.example.com,80,1,2",
  "--mx-host=example.com,mail.example.com,10",
  ...Array.from(
    { length: 40 },
    (_, i) => `--txt-record=large.example.com,${`${i}`.padStart(3, "0")}${"x".repeat(200)}`,
  ),
];

async function dig(from: Namespace, ...words: readonly string[]): Promise<string[]> {
  const output = await from.run("dig", "+tries=1", "+time=10", ...words);
  return output.split("\n").filter((line) => line !== "");
}

/** `status: NOERROR`, flags and records of a whole answer. */
async function digWhole(from: Namespace, ...words: readonly string[]) {
  const lines = await dig(from, ...words);
  const [, status] = /status: (\w+)/.exec(lines.join("\n")) ?? [];
  const [, flags = ""] = /flags: ([a-z ]*);/.exec(lines.join("\n")) ?? [];
  return { status, flags: flags.split(" "), lines };
}

async function bed(): Promise<{ cluster: Cluster; dnsmasq: Program }> {
  let dnsmasq: Program | null = null;
  const cluster = await Cluster.build({
    pods: PODS,
    dns: true,
    env: { ISTIO_META_DNS_CAPTURE: "true", RUST_LOG: "info,dns=debug" },
    async prepare(cluster) {
      const { namespace, ip } = cluster.outside;
      await namespace.run("ip", "address", "add", `${DNSMASQ}/24`, "dev", "eth0");
      await namespace.run("ip", "address", "add", `${DNSMASQ6}/64`, "dev", "eth0", "nodad");
      dnsmasq = cluster.use(await startDnsmasq(namespace, [DNSMASQ, DNSMASQ6], RECORDS));
      const [node1, node2] = cluster.nodes;
      cluster.use(
        withResolver(node1!.namespace, `nameserver ${DNSMASQ}\n`, "127.0.0.1 localhost\n192.0.2.9 of-the-node\n"),
      );
      cluster.use(withResolver(node2!.namespace, `nameserver ${ip}\n`));
      return () => ({});
    },
  });
  return { cluster, dnsmasq: dnsmasq! };
}

const NEEDS = { namespaces: true, packages: ["curl", "dig", "dnsmasq", "iptables", "nginx"] } as const;

testNeeding(NEEDS, "dns: queries of pods with redirection are answered", async (t) => {
  const { cluster, dnsmasq } = await bed();
  await using _all = cluster;
  const client = cluster.pod("client-1");
  const pod = client.namespace;
  const [node1] = cluster.nodes;
  await nginx(cluster, cluster.pod("server-1").namespace, "server-1");

  for (const [family, server] of [["IPv4", NOWHERE], ["IPv6", NOWHERE6]] as const) {
    for (const transport of ["+notcp", "+tcp"]) {
      await t.step(`R17 R18 a name of the mesh over ${family} ${transport}, wherever it is sent to`, async () => {
        const ask = (type: string, name: string) => dig(pod, "+short", transport, `@${server}`, type, name);
        assert.deepEqual(await ask("A", SERVICE.hostname), [SERVICE.ip]);
        assert.deepEqual(await ask("AAAA", SERVICE.hostname), [SERVICE.ip6]);
        assert.deepEqual(await ask("A", "server.bed"), [SERVICE.ip]);
        assert.deepEqual(await ask("A", "server"), [SERVICE.ip]);
      });
    }
  }

  await t.step("an answer of ours is authoritative, keeps EDNS, and has the alias of a searched name", async () => {
    const { status, flags, lines } = await digWhole(pod, `@${NOWHERE}`, "A", `server.bed.bed.svc.cluster.local`);
    assert.equal(status, "NOERROR");
    assert.ok(flags.includes("aa") && flags.includes("ra"));
    const records = lines.filter((line) => /\sIN\s+(A|CNAME)\s/.test(line) && !line.startsWith(";"));
    assert.deepEqual(records.map((line) => line.split(/\s+/)), [
      ["server.bed.bed.svc.cluster.local.", "30", "IN", "CNAME", "server.bed."],
      ["server.bed.", "30", "IN", "A", SERVICE.ip],
    ]);
    assert.ok(lines.some((line) => line.startsWith("; EDNS: version: 0")));
  });

  await t.step("a connection by name works: DNS, VIP and HBONE together", async () => {
    const [address = ""] = await dig(pod, "+short", `@${NOWHERE}`, "A", "server");
    assert.equal(await get(pod, address, SERVICE.port), `server-1 from ${client.ip}`);
  });

  await t.step("R19 the rest goes to the nameserver of the node's proxy, from the pod's own address", async () => {
    const ask = (type: string, name: string, ...more: readonly string[]) =>
      dig(pod, "+short", ...more, `@${NOWHERE}`, type, name);
    assert.deepEqual(await ask("A", "www.example.com"), ["192.0.2.80"]);
    assert.deepEqual(await ask("AAAA", "www.example.com"), ["2001:db8::80"]);
    assert.deepEqual(await ask("A", "alias.example.com"), ["www.example.com.", "192.0.2.80"]);
    assert.deepEqual(await ask("TXT", "text.example.com"), ['"hello" "world"']);
    assert.deepEqual(await ask("SRV", "_http._tcp.example.com"), ["1 2 80 www.example.com."]);
    assert.deepEqual(await ask("MX", "example.com", "+tcp"), ["10 mail.example.com."]);
    await dnsmasq.line(new RegExp(`query\\[A\\] www\\.example\\.com from ${client.ip.replaceAll(".", "\\.")}$`));
  });

  await t.step("a truncated answer is repeated by TCP where the client has a small UDP payload", async () => {
    const whole = await dig(pod, "+short", "+bufsize=512", `@${NOWHERE}`, "TXT", "large.example.com");
    assert.equal(whole.length, 40);
    const { flags } = await digWhole(pod, "+ignore", "+bufsize=512", `@${NOWHERE}`, "TXT", "large.example.com");
    assert.ok(flags.includes("tc"));
  });

  await t.step("a name that does not exist, and one of the node's hosts file", async () => {
    const { status, flags } = await digWhole(pod, `@${NOWHERE}`, "A", "nobody.invalid");
    assert.equal(status, "NXDOMAIN");
    assert.ok(!flags.includes("aa"));
    assert.deepEqual(await dig(pod, "+short", `@${NOWHERE}`, "A", "of-the-node"), ["192.0.2.9"]);
  });

  await t.step("the access log of DNS, and the metrics", async () => {
    const [, fields] = await node1!.proxy.program.line(/\tdebug\tdns\t(.* domain="server\.bed\." .*)$/);
    assert.equal(
      fields,
      'src.workload="client-1" src.namespace="bed" query="A" domain="server.bed." result="success" endpoints=1',
    );
    const samples = await scrape(node1!.namespace, await node1!.proxy.url("stats", "/metrics"));
    const of = (name: string, labels: Readonly<Record<string, string>>) => sumOf(samples, name, labels);
    assert.ok(of("istio_dns_requests_total", { request_query_type: "a", request_protocol: "tcp" }) >= 6);
    assert.ok(of("istio_dns_upstream_requests_total", { request_query_type: "txt", request_protocol: "udp" }) >= 2);
    assert.ok(of("istio_dns_upstream_failures_total", { request_query_type: "a" }) >= 1);
  });

  await t.step("the pod is removed: its queries are not answered, and other pods go on", async () => {
    await node1!.session.delete(client.uid);
    await node1!.proxy.line(/dns_proxy\{wl=bed\/client-1\}.*dns server drained/);
    await assert.rejects(dig(pod, "+time=1", "+short", `@${NOWHERE}`, "A", "server"));
    assert.deepEqual(await dig(cluster.pod("server-1").namespace, "+short", `@${NOWHERE}`, "A", "server"), [
      SERVICE.ip,
    ]);
  });

  await t.step("B5.1 a resolv.conf without a nameserver: the pod is refused with the reason", async () => {
    const file = `/etc/netns/${node1!.namespace.name}/resolv.conf`;
    Deno.writeTextFileSync(file, "search example.com\n");
    await assert.rejects(client.enroll(), /failure to start proxy.*no nameservers found in config/);
    Deno.writeTextFileSync(file, `nameserver ${DNSMASQ}\n`);
    await node1!.session.delete(client.uid);
  });

  await t.step("N9 it is added again, its loopback without IPv6: queries over IPv4 are answered", async () => {
    await pod.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6");
    await client.enroll();
    assert.deepEqual(await dig(pod, "+short", `@${NOWHERE}`, "A", "server"), [SERVICE.ip]);
    const sockets = await pod.run("ss", "--udp", "--tcp", "--listening", "--numeric", "--no-header", "sport = :15053");
    const places = sockets.split("\n").map((line) => line.trim().split(/\s+/)[4]);
    assert.deepEqual(new Set(places), new Set(["127.0.0.1:15053"]));
  });
});

async function scrape(from: Namespace, url: string): Promise<Sample[]> {
  const text = await from.run("curl", "--silent", "--show-error", "--max-time", "60", url);
  return text.split("\n").map(parseSample).filter((sample) => sample !== null);
}

testNeeding(NEEDS, "dns: byte for byte to a nameserver and back, through the redirection", async (t) => {
  await using cluster = (await bed()).cluster;
  await using rig = new ReactorRig();
  const outside = descriptor(cluster.outside.namespace.path);
  const inside = descriptor(cluster.pod("client-2").namespace.path);
  using upstream = scripted(rig, cluster.outside.ip, outside.number);

  for (const [family, server] of [["IPv4", NOWHERE], ["IPv6", NOWHERE6]] as const) {
    await t.step(`a question that only its client and its server understand, over ${family}`, async () => {
      // Opcode 9 is not assigned; the rest is not DNS at all.
      const request = Uint8Array.from([0x12, 0x34, 0x48, 0, 1, 2, 3, 4, 5, 6, 7, 8, ...new Array(300).fill(0xa5)]);
      upstream.server.script = (_query, _protocol, bytes) => {
        const answer = bytes.slice();
        answer[2]! |= 0x80;
        answer.fill(0x5a, 12);
        return answer;
      };
      const received = await ask(rig, inside.number, server, request);
      assert.deepEqual([...upstream.server.asked.at(-1)!.bytes.slice(2)], [...request.slice(2)]);
      assert.deepEqual([...received], [0x12, 0x34, 0xc8, ...request.slice(3, 12), ...new Array(300).fill(0x5a)]);
    });
  }

  await t.step("DO, CD and a cookie arrive, and the signed answer comes back", async () => {
    const opt = { name: ".", type: "OPT", udpPayloadSize: 1400, flags: 0x8000, options: [] };
    upstream.server.script = (query) => ({
      flags: answered() | 0x20,
      answers: [{ name: query.questions[0]!.name, type: "A", ttl: 5, data: "192.0.2.1" }],
      additionals: [opt],
    });
    const pod = cluster.pod("client-2").namespace;
    const { flags, lines } = await digWhole(
      pod,
      "+dnssec",
      "+cdflag",
      "+cookie",
      `@${NOWHERE}`,
      "A",
      "signed.example.com",
    );
    assert.ok(flags.includes("ad"));
    assert.ok(lines.some((line) => /EDNS: version: 0, flags: do; udp: 1400/.test(line)));
    const [seen] = upstream.server.asked.map(({ bytes }) => bytes).filter((bytes) => bytes[2] !== 0x48).map(decode);
    assert.equal(seen!.flag_cd, true);
    assert.equal(seen!.additionals[0]!.flag_do, true);
    assert.equal(seen!.additionals[0]!.options!.length, 1);
  });

  await t.step("the proxy's own questions are not redirected: each arrives once, from its own port", async () => {
    upstream.server.script = () => ({ flags: answered(3) });
    const before = upstream.server.asked.length;
    const pod = cluster.pod("client-2");
    for (let i = 0; i < 20; i++) await digWhole(pod.namespace, `@${NOWHERE}`, "A", `x${i}.example.com`);
    const asked = upstream.server.asked.slice(before);
    assert.equal(asked.length, 20);
    assert.deepEqual(new Set(asked.map(({ from }) => from.ip)), new Set([pod.ip]));
    assert.ok(new Set(asked.map(({ from, bytes }) => `${from.port} ${bytes[0]} ${bytes[1]}`)).size === 20);
  });

  await t.step("a nameserver that is down: SERVFAIL, and descriptors are released", async () => {
    upstream.server.script = () => null;
    const { proxy } = cluster.nodes[1]!;
    const before = proxy.descriptors;
    const silent = encode({ type: "query", id: 9, questions: [{ type: "A", name: "silent.example.com" }] });
    void ask(rig, inside.number, NOWHERE, silent).catch(() => {});
    await eventually("a socket for the question", () => proxy.descriptors > before);
    upstream[Symbol.dispose]();
    const { status } = await digWhole(cluster.pod("client-2").namespace, `@${NOWHERE}`, "A", "gone.example.com");
    assert.equal(status, "SERVFAIL");
    await proxy.descriptorsBackTo(before);
  });
  outside.close();
  inside.close();
});

function descriptor(path: string): { readonly number: number; close(): void } {
  const number = openNamespace(path);
  return { number, close: () => void libc.close(number) };
}

function scripted(rig: ReactorRig, ip: string, namespace: number) {
  const server = new ScriptedServer(rig.network, { ip: parseIp(ip)!, port: 53 }, () => null, namespace);
  return { server, [Symbol.dispose]: () => server.close() };
}

/** Sends from a namespace and returns what arrives. */
async function ask(rig: ReactorRig, namespace: number, server: string, request: Uint8Array): Promise<Uint8Array> {
  const received: Uint8Array[] = [];
  const any = parseIp(server.includes(":") ? "::" : "0.0.0.0")!;
  const socket = rig.network.udp({ address: { ip: any, port: 0 }, namespace }, {
    onDatagram: (bytes) => void received.push(bytes.slice()),
  });
  try {
    assert.ok(socket.send(request, { ip: parseIp(server)!, port: 53 }));
    await rig.run(() => received.length > 0);
  } finally {
    socket.close();
  }
  return received[0]!;
}

testNeeding(
  { namespaces: true, packages: ["dig", "dnsmasq", "dnsperf", "iptables"] },
  "dns: a proxy takes over from another, and no question is lost",
  async () => {
    await using cluster = (await bed()).cluster;
    const [node] = cluster.nodes;
    const pod = cluster.pod("client-1").namespace;
    const names = `${cluster.folder}/names`;
    Deno.writeTextFileSync(names, `${SERVICE.hostname} A\nwww.example.com A\nserver.bed AAAA\ntext.example.com TXT\n`);
    const args = ["-s", NOWHERE, "-d", names, "-l", "600", "-c", "20", "-Q", "2000", "-t", "3"];
    await using load = new Program("dnsperf", { args, namespace: pod.name });
    for (let i = 0; i < 3; i++) {
      const old = node!.proxy;
      // From one worker to two, and back.
      await cluster.startProxy(node!, { ZTUNNEL_WORKER_THREADS: `${2 - i % 2}` });
      const { code } = await old.stop();
      assert.equal(code, 0);
    }
    const { output: report } = await load.stop("SIGINT"); // stops and prints its report
    assert.ok(Number(/Queries sent: +(\d+)/.exec(report)?.[1]) > 1000, report);
    assert.match(report, /Queries lost:\s+0 /, report);
    assert.match(report, /Response codes:\s+NOERROR \d+ \(100\.00%\)/, report);
  },
);

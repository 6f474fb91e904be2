/**
 * Two pods on one machine, redirected as by the node's agent, each with a proxy and unmodified programs; and a third
 * pod outside of the mesh.
 *
 *     pod a 10.9.0.1 fd09::1 ══════════════ pod b 10.9.0.2 fd09::2
 *           10.8.0.1 ══════ outside 10.8.0.2 10.7.0.1 ══════ 10.7.0.2
 */
import { strict as assert } from "node:assert";
import { commandName } from "../lab/commands.ts";
import type { LogLine } from "../lab/log_line.ts";
import { parseSample, type Sample, sumOf } from "../lab/scrape.ts";
import { identityOf, meshText } from "../lab/mesh.ts";
import { join, makeNamespace, type Namespace } from "../lab/namespace.ts";
import { testNeeding } from "../lab/needs.ts";
import { Program } from "../lab/program.ts";
import { cacheProgram, Proxy } from "../lab/proxy.ts";
import { PACKET_MARK, redirect, redirected } from "../testkit/redirection.ts";
import { nodeSettings } from "../lab/settings.ts";
import { tempDir } from "../lab/temp_dir.ts";

const NC = commandName("nc");

const A = "10.9.0.1", B = "10.9.0.2", OUTSIDE_SEEN_BY_A = "10.8.0.2", OUTSIDE_SEEN_BY_B = "10.7.0.1";
const A6 = "fd09::1", B6 = "fd09::2";
const HTTP = 8080, APP = 7000, BULK = 5201;
/** Ports that only workload a may use, and no workload. */
const FOR_A = 9090, FOR_NOBODY = 9091;
const MEGABYTE = 1 << 20;

const MESH = meshText(
  [{ name: "a", ips: [A, A6] }, { name: "b", ips: [B, B6], policies: ["open", "for-a", "for-nobody"] }],
  [
    { name: "open", ports: [HTTP, APP, BULK, 15001, 15006, 15020] },
    { name: "for-a", from: ["a"], ports: [FOR_A] },
    { name: "for-nobody", from: ["nobody"], ports: [FOR_NOBODY] },
  ],
);

class Street implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;

  private constructor(
    stack: AsyncDisposableStack,
    readonly podA: Namespace,
    readonly podB: Namespace,
    readonly outside: Namespace,
    readonly proxyA: Proxy,
    readonly proxyB: Proxy,
    readonly app: Program,
    readonly folder: string,
  ) {
    this.#stack = stack;
  }

  static async build(more: Readonly<Record<string, string>> = {}): Promise<Street> {
    await using stack = new AsyncDisposableStack();
    await cacheProgram("main.ts", "tests/fixtures/tcp_app.ts", "tests/fixtures/tcp_client.ts"); // no Internet access later
    const folder = stack.use(tempDir());
    const [podA, podB, outside] = [
      stack.use(await makeNamespace("a")),
      stack.use(await makeNamespace("b")),
      stack.use(await makeNamespace("c")),
    ];
    await join({ in: podA, addresses: [`${A}/24`, `${A6}/64`] }, { in: podB, addresses: [`${B}/24`, `${B6}/64`] });
    await join({ in: podA, addresses: ["10.8.0.1/24"] }, { in: outside, addresses: [`${OUTSIDE_SEEN_BY_A}/24`] });
    await join({ in: podB, addresses: ["10.7.0.2/24"] }, { in: outside, addresses: [`${OUTSIDE_SEEN_BY_B}/24`] });
    await outside.run("ip", "route", "add", `${B}/32`, "via", "10.7.0.2");
    await Promise.all([podA, podB].map(redirect));
    const proxyA = stack.use(await Proxy.ready(podSettings("a", folder.path, more), { namespace: podA.name }));
    const proxyB = stack.use(await Proxy.ready(podSettings("b", folder.path, more), { namespace: podB.name }));
    for (const namespace of [podB, outside]) stack.use(await nginx(namespace, folder.path));
    stack.use(await iperf(podB));
    const app = stack.use(inside(podB, "tests/fixtures/tcp_app.ts", "::", `${APP}`));
    await app.line(/listening/);
    return new Street(stack.move(), podA, podB, outside, proxyA, proxyB, app, folder.path);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** Well-known ports on all addresses, as in a cluster. */
function podSettings(name: string, folder: string, more: Readonly<Record<string, string>>): Record<string, string> {
  const { BIND_ADDRESS: _ip, ENABLE_ORIG_SRC: _source, IPV6_ENABLED: _families, ...rest } = nodeSettings({
    name,
    ip: "",
    mesh: MESH,
    folder,
  });
  const settings = Object.entries(rest).filter(([variable]) => !variable.endsWith("_PORT"));
  return { ...Object.fromEntries(settings), UNSTABLE_ENABLE_SOCKS5: "false", PACKET_MARK: `${PACKET_MARK}`, ...more };
}

/** Answers every request with the address of its client. */
async function nginx(namespace: Namespace, folder: string): Promise<Program> {
  const home = `${folder}/nginx-${namespace.name}`;
  Deno.mkdirSync(home);
  const listen = [HTTP, FOR_A, FOR_NOBODY].map((port) => `listen ${port}; listen [::]:${port};`).join(" ");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((each) => `${each}_temp_path ${home};`);
  Deno.writeTextFileSync(
    `${home}/nginx.conf`,
    `daemon off; master_process off; user root; pid ${home}/pid; error_log stderr notice; events {}
     http { access_log off; ${
      temporary.join(" ")
    } server { ${listen} location / { return 200 "from $remote_addr\\n"; } } }`,
  );
  const options = { args: ["-e", "stderr", "-c", `${home}/nginx.conf`], namespace: namespace.name };
  const program = new Program("nginx", options);
  await program.line(/using the "epoll" event method/); // it listens by then
  return program;
}

async function iperf(namespace: Namespace): Promise<Program> {
  const program = new Program("iperf3", {
    args: ["--server", "--forceflush", "--port", `${BULK}`],
    namespace: namespace.name,
  });
  await program.line(/Server listening/);
  return program;
}

/** One of our fixtures. */
function inside(namespace: Namespace, fixture: string, ...args: readonly string[]): Program {
  return Proxy.fixture(fixture, args, namespace.name);
}

async function client(namespace: Namespace, host: string, wish: string): Promise<string> {
  await using program = inside(namespace, "tests/fixtures/tcp_client.ts", host, `${APP}`, wish);
  return (await program.ended()).output;
}

/** The body of a response; throws where there is none. */
function curl(namespace: Namespace, url: string, ...args: readonly string[]): Promise<string> {
  return namespace.run("curl", "--silent", "--show-error", "--globoff", "--max-time", "60", ...args, url);
}

/** An attempt that must end without a response. */
async function curlFails(namespace: Namespace, url: string): Promise<void> {
  const args = ["--silent", "--globoff", "--max-time", "60", url];
  await using program = new Program("curl", { args, namespace: namespace.name });
  const { code } = await program.ended();
  // A reset: of a connection that was made, while curl sends (55) or receives (56); where it arrives at once, curl takes
  // the connection for one that was never made (7).
  assert.ok([7, 55, 56].includes(code), `curl ${url} in ${namespace.name} ended with ${code}`);
}

/** The access log line with all of these parts, already logged or awaited. */
function accessLine(proxy: Proxy, ...parts: readonly string[]): Promise<LogLine> {
  const all = parts.map((part) => `(?=.*${part.replace(/[.[\]()]/g, "\\$&")})`).join("");
  return proxy.line(new RegExp(`^\\S+\\t\\w+\\taccess\\tconnection (complete|failed)${all}`));
}

const NEEDS = { packages: ["curl", "iperf3", "iptables", "nc", "nginx"], namespaces: true } as const;

testNeeding(NEEDS, "redirect: two pods with redirection", async (t) => {
  await using street = await Street.build();
  const { podA, podB, outside, proxyA, proxyB, app } = street;

  for (const [family, host, source] of [["IPv4", B, A], ["IPv6", `[${B6}]`, A6]] as const) {
    await t.step(
      `pod to pod over ${family}: HBONE, and the app sees the client's address, dataplane TE-02`,
      async () => {
        assert.equal(await curl(podA, `http://${host}:${HTTP}/`), `from ${source}`);
        const out = await accessLine(proxyA, `dst.hbone_addr=${host}:${HTTP}`);
        assert.equal(out.fields.get("dst.addr"), `${host}:15008`);
        assert.deepEqual(
          [out.fields.get("src.identity"), out.fields.get("dst.identity"), out.fields.get("direction")],
          [identityOf("a"), identityOf("b"), "outbound"],
        );
        const inbound = await accessLine(proxyB, `dst.hbone_addr=${host}:${HTTP}`);
        assert.equal(inbound.fields.get("src.identity"), identityOf("a"));
        assert.equal(inbound.fields.get("bytes_sent"), out.fields.get("bytes_recv"));
        assert.equal(inbound.fields.get("bytes_recv"), out.fields.get("bytes_sent"));
      },
    );
  }

  await t.step("to an address outside of the mesh: plain TCP", async () => {
    assert.equal(await curl(podA, `http://${OUTSIDE_SEEN_BY_A}:${HTTP}/`), "from 10.8.0.1");
    const { fields } = await accessLine(proxyA, `dst.addr=${OUTSIDE_SEEN_BY_A}:${HTTP}`);
    assert.equal(fields.get("src.identity"), undefined);
    assert.equal(fields.get("dst.hbone_addr"), undefined);
  });

  await t.step("from outside of the mesh: plain TCP, redirected, and the app sees the client", async () => {
    assert.equal(await curl(outside, `http://${B}:${HTTP}/`), `from ${OUTSIDE_SEEN_BY_B}`);
    const { fields } = await accessLine(proxyB, `src.addr=${OUTSIDE_SEEN_BY_B}`, `dst.addr=${B}:${HTTP}`);
    assert.equal(fields.get("direction"), "inbound");
    assert.equal(fields.get("src.identity"), undefined);
  });

  await t.step("policy by identity: no access from outside or without an identity, config C51", async () => {
    assert.equal(await curl(podA, `http://${B}:${FOR_A}/`), `from ${A}`);
    await curlFails(outside, `http://${B}:${FOR_A}/`);
    const refused = "allow policies exist, but none allowed";
    await accessLine(proxyB, `src.addr=${OUTSIDE_SEEN_BY_B}`, `dst.addr=${B}:${FOR_A}`, refused);
    await curlFails(podA, `http://${B}:${FOR_NOBODY}/`);
    await accessLine(proxyB, `dst.hbone_addr=${B}:${FOR_NOBODY}`, `src.identity="${identityOf("a")}"`, refused);
    await accessLine(proxyA, `dst.hbone_addr=${B}:${FOR_NOBODY}`, "http status: 401 Unauthorized");
  });

  await t.step("connections to the proxy's own ports end without a loop, dataplane MAL, inpod V5", async () => {
    for (const port of [15001, 15006]) {
      for (const [from, host] of [[podA, B], [podA, "127.0.0.1"], [outside, B]] as const) {
        await curlFails(from, `http://${host}:${port}/`);
      }
    }
    await curlFails(podA, `http://${A}:15001/`);
    await accessLine(proxyA, "dst.addr=127.0.0.1:15001", "attempted recursive call to ourselves");
    await accessLine(proxyB, `dst.addr=${B}:15006`, "attempted recursive call to ourselves");
    await curlFails(podA, `http://${B}:15020/metrics`); // observed O35
  });

  await t.step("connections of the proxy have its mark: each call is redirected once", async () => {
    const before = await redirected(podA);
    const calls = 20;
    const urls = Array.from({ length: calls }, (_, i) => `http://${B}:${HTTP}/${i}`);
    // One connection for each.
    for (const url of urls) await curl(podA, url);
    assert.equal(await redirected(podA) - before, calls);
    const hbone = (await scrapeInside(podB)).filter(({ name }) => name === "istio_tcp_sockets_open");
    assert.ok(sumOf(hbone, "istio_tcp_sockets_open", { reporter: "destination" }) <= 2, "they share a tunnel");
  });

  await t.step("200 MB are sent and echoed at the same time, byte for byte", async () => {
    const file = `${street.folder}/200MB`;
    await podA.run("sh", "-c", `head -c 200M /dev/urandom > ${file}`);
    const back = `{ echo echo; cat ${file}; } | ${NC} -N ${B} ${APP} | sha256sum`;
    assert.equal(await podA.run("sh", "-c", back), await podA.run("sh", "-c", `sha256sum < ${file}`));
  });

  await t.step("iperf3 in both directions at once", async () => {
    const output = await podA.run(
      "iperf3",
      "--json",
      "--port",
      `${BULK}`,
      "--client",
      B6,
      "--bidir",
      "--bytes",
      "200M",
    );
    // iperf3 counts both directions together, and ends with bytes in flight.
    const { sum_received, sum_received_bidir_reverse } = JSON.parse(output).end;
    assert.ok(sum_received.bytes > MEGABYTE && sum_received_bidir_reverse.bytes > MEGABYTE);
  });

  await t.step("half-close: the whole request, its end, then the response, dataplane CP-06", async () => {
    const size = 3 * MEGABYTE + 1;
    const send = `{ echo count; head -c ${size} /dev/zero; } | ${NC} -N ${B} ${APP}`;
    assert.equal(await podA.run("sh", "-c", send), `${size}`);
    const plain = await outside.run("sh", "-c", send);
    assert.equal(plain, `${size}`);
  });

  await t.step("a reset by the app reaches the client, plain and over HBONE", async () => {
    assert.equal(await client(podA, B, "reset"), "reset");
    assert.equal(await client(outside, B, "reset"), "reset");
  });

  for (const [where, namespace] of [["over HBONE", podA], ["plain", outside]] as const) {
    await t.step(`a reset by the client reaches the app, ${where}`, async () => {
      const gone = app.printed.filter((line) => line.startsWith("gone: ")).length;
      const holding = app.printed.filter((line) => line === "holding").length;
      await using program = inside(namespace, "tests/fixtures/tcp_client.ts", B, `${APP}`, "hold", "hold");
      await app.matches(/^holding$/, holding + 1);
      program.signal("SIGUSR2");
      await program.ended();
      assert.equal((await app.matches(/^gone: (.*)$/, gone + 1)).at(-1)?.[1], "reset");
    });
  }

  await t.step("both drain and end", async () => {
    for (const proxy of [proxyA, proxyB]) {
      const { code, output } = await proxy.stop();
      assert.equal(code, 0, output);
    }
    assert.deepEqual(
      [...proxyA.lines, ...proxyB.lines].filter(({ level, scope }) => level === "error" && scope !== "access"),
      [],
    );
  });
});

/** Metrics of the proxy in a namespace, by its stats port. Loopback is not redirected inside. */
async function scrapeInside(namespace: Namespace): Promise<Sample[]> {
  const text = await curl(namespace, "http://127.0.0.1:15020/metrics");
  return text.split("\n").map(parseSample).filter((sample) => sample !== null);
}

testNeeding(
  NEEDS,
  "redirect: without ENABLE_ORIG_SRC the app sees the proxy's address, and everything works",
  async () => {
    await using street = await Street.build({ ENABLE_ORIG_SRC: "false" });
    assert.equal(await curl(street.podA, `http://${B}:${HTTP}/`), `from ${B}`);
    assert.equal(await curl(street.outside, `http://${B}:${HTTP}/`), `from ${B}`);
    const { fields } = await street.proxyB.line(/component="inbound plaintext"/);
    assert.equal(fields.get("transparent"), "false");
  },
);

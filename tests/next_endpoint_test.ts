/**
 * A service with three endpoints, of which one refuses connections and one drops SYNs: no connection of the client's
 * application fails, and the two are dialled a few times only (`docs/spec/dataplane.md` 1.5.3).
 */
import { strict as assert } from "node:assert";
import { connectBySocks } from "../lab/socks.ts";
import { NAMESPACE, nodeOf } from "../lab/mesh.ts";
import { Proxy } from "../lab/proxy.ts";
import { scrape, sumOf } from "../lab/scrape.ts";
import { nodeSettings } from "../lab/settings.ts";
import { tempDir } from "../lab/temp_dir.ts";
import { writeAll } from "../lab/write_all.ts";
import { freePorts } from "../testkit/ports.ts";

/** Addresses of loopback that no other test uses: here ports are chosen before they are bound. */
const CLIENT = "127.28.0.1", WORKS = "127.28.0.2", REFUSES = "127.28.0.3", SILENT = "127.28.0.4";
const VIP = { ip: "10.96.28.1", port: 80 };
const CALLS = 300;
/**
 * Attempts at one endpoint that fails. Each set-back is twice as long as the one before, up to 30 s, so there are six in
 * the first half minute and two in each further one.
 */
const MOST_ATTEMPTS = 30;

type Protocol = "TCP" | "HBONE";

/** The mesh of the client and of the endpoints, which serve at `port`. */
function mesh(protocol: Protocol, port: number): string {
  const hostname = `web.${NAMESPACE}.svc`;
  const workload = (name: string, ip: string, serves: boolean) => ({
    uid: `${NAMESPACE}/${name}`,
    name,
    namespace: NAMESPACE,
    serviceAccount: name,
    trustDomain: "cluster.local",
    workloadIps: [ip],
    protocol: serves ? protocol : "HBONE",
    node: nodeOf(name),
    services: serves ? { [`${NAMESPACE}/${hostname}`]: { [VIP.port]: port } } : {},
    authorizationPolicies: [],
  });
  return JSON.stringify({
    workloads: [
      workload("client", CLIENT, false),
      workload("works", WORKS, true),
      workload("refuses", REFUSES, true),
      workload("silent", SILENT, true),
    ],
    services: [{ name: "web", namespace: NAMESPACE, hostname, vips: [`/${VIP.ip}`], ports: { [VIP.port]: port } }],
    policies: [],
  });
}

/** Sends back what each connection sends. */
function serveEcho(port: number): AsyncDisposable {
  const listener = Deno.listen({ hostname: WORKS, port });
  const served = (async () => {
    for await (const connection of listener) {
      void connection.readable.pipeTo(connection.writable).catch(() => {});
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      listener.close();
      await served;
    },
  };
}

/** Takes no SYN at this port: a backlog of zero holds one connection, which is made here. */
async function beSilent(port: number): Promise<Disposable> {
  const listener = Deno.listen({ hostname: SILENT, port, tcpBacklog: 0 });
  const only = await Deno.connect({ hostname: SILENT, port });
  return {
    [Symbol.dispose]() {
      only.close();
      listener.close();
    },
  };
}

/** One connection of the application: five bytes to the service and back. */
async function call(proxyPort: number): Promise<string> {
  const connection = await connectBySocks(proxyPort, VIP);
  try {
    await writeAll(connection, new TextEncoder().encode("hello"));
    const buffer = new Uint8Array(5);
    const count = await connection.read(buffer);
    return new TextDecoder().decode(buffer.subarray(0, count ?? 0));
  } catch (error) {
    return String(error);
  } finally {
    connection.close();
  }
}

for (const protocol of ["TCP", "HBONE"] as const) {
  Deno.test(`next endpoint, ${protocol}: two of three endpoints are away, and none of ${CALLS} connections fails`, async () => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(tempDir());
    const [inbound = 0, app = 0] = freePorts(CLIENT, 2);
    const text = mesh(protocol, app);
    const settings = (name: string, ip: string, more: Record<string, string> = {}) =>
      nodeSettings({ name, ip, mesh: text, folder: folder.path }, { INBOUND_PORT: `${inbound}`, ...more });
    const proxy = stack.use(await Proxy.ready(settings("client", CLIENT)));
    if (protocol === "HBONE") {
      stack.use(await Proxy.ready(settings("works", WORKS, { UNSTABLE_ENABLE_SOCKS5: "false" })));
    }
    stack.use(serveEcho(app));
    stack.use(await beSilent(protocol === "HBONE" ? inbound : app));
    const { port } = await proxy.place("socks5");
    const answers = new Map<string, number>();
    for (let i = 0; i < CALLS; i++) {
      const answer = await call(port);
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
    assert.deepEqual([...answers], [["hello", CALLS]]);
    const attempts = proxy.program.printed.filter((line) => line.includes("connection attempt failed"));
    const of = (name: string) => attempts.filter((line) => line.includes(`dst.workload="${name}"`)).length;
    for (const name of ["refuses", "silent"]) {
      assert.ok(of(name) >= 1 && of(name) <= MOST_ATTEMPTS, `${of(name)} attempts at ${name}:\n${attempts.join("\n")}`);
    }
    assert.equal(of("works"), 0);
    const samples = await scrape(await proxy.url("stats", "/metrics"));
    assert.equal(sumOf(samples, "istio_connection_attempts_failed_total", {}), attempts.length);
    assert.equal(sumOf(samples, "istio_tcp_connections_opened_total", {}), CALLS);
    assert.equal(sumOf(samples, "istio_tcp_connections_failed_total", {}), 0);
  });
}

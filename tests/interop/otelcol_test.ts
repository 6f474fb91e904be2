/** The export by OTLP to the receiver of the OpenTelemetry collector: records, spans of both proxies, TLS. */
import { strict as assert } from "node:assert";
import { ipName, ROOT, ROOT_PEM, serverIdentity } from "../../src/grpc/testkit/server.ts";
import { identityOf, meshText } from "../../lab/mesh.ts";
import { Proxy } from "../../lab/proxy.ts";
import { nodeSettings } from "../../lab/settings.ts";
import { connectBySocks } from "../../lab/socks.ts";
import { type TempDir, tempDir } from "../../lab/temp_dir.ts";
import { writeAll } from "../../lab/write_all.ts";
import { echoApp } from "../../testkit/apps.ts";
import { type Collected, OtelCollector, testWithCollector } from "../../testkit/otel_collector.ts";
import { freePorts } from "../../testkit/ports.ts";

/** Addresses of loopback that no other test uses: here a port is chosen before it is bound. */
const CLIENT = "127.29.0.1", SERVER = "127.29.0.2";

/** Two proxies that export to `endpoint`, and one call from the one's application to that of the other. */
async function callWithExport(
  stack: AsyncDisposableStack,
  folder: TempDir,
  more: Readonly<Record<string, string>>,
): Promise<readonly Proxy[]> {
  const app = stack.use(echoApp(SERVER));
  const mesh = meshText([{ name: "client", ips: [CLIENT] }, { name: "server", ips: [SERVER] }]);
  const [inbound = 0] = freePorts(CLIENT, 1);
  const proxies = await Promise.all([["client", CLIENT], ["server", SERVER]].map(([name = "", ip = ""]) => {
    const settings = nodeSettings({ name, ip, mesh, folder: folder.path }, { INBOUND_PORT: `${inbound}`, ...more });
    return Proxy.ready({ ...settings, SOCKS5_PORT: "0" });
  }));
  for (const proxy of proxies) stack.use(proxy);
  const { port } = await proxies[0]!.place("socks5");
  const connection = await connectBySocks(port, { ip: SERVER, port: Number(app.authority.split(":")[1]) });
  await writeAll(connection, new TextEncoder().encode("hello"));
  assert.equal(await connection.read(new Uint8Array(100)), 5);
  connection.close();
  return proxies;
}

const areAll = (all: readonly Collected[]) =>
  ["log", "span"].every((kind) =>
    ["outbound", "inbound"].every((direction) =>
      all.some((one) => one.kind === kind && one.attributes["istio.direction"] === direction)
    )
  );

testWithCollector("otelcol: a connection is a log record and a span of each proxy, in one trace", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(tempDir());
  const collector = stack.use(await OtelCollector.start());
  await callWithExport(stack, folder, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
    OTEL_BLRP_SCHEDULE_DELAY: "100",
    OTEL_BSP_SCHEDULE_DELAY: "100",
    OTEL_RESOURCE_ATTRIBUTES: "k8s.cluster.name=east",
  });
  const all = await collector.records(areAll);
  const one = (kind: string, direction: string) =>
    all.find((each) => each.kind === kind && each.attributes["istio.direction"] === direction)!;
  const out = one("span", "outbound"), into = one("span", "inbound");
  assert.deepEqual([into.traceId, into.parentSpanId], [out.traceId, out.spanId]);
  assert.equal(out.parentSpanId, "");
  for (const [span, direction] of [[out, "outbound"], [into, "inbound"]] as const) {
    const log = one("log", direction);
    assert.deepEqual([log.traceId, log.spanId, log.name], [span.traceId, span.spanId, "connection complete"]);
    assert.deepEqual(log.attributes, span.attributes);
    const { attributes, resource } = span;
    assert.equal(attributes["istio.source.principal"], identityOf("client"));
    assert.equal(attributes["tls.protocol.version"], "1.3");
    assert.deepEqual([attributes["ztunnel.bytes_sent"], attributes["ztunnel.ended.by"]], ["5", "client"]);
    assert.ok("ztunnel.time.server_byte_ms" in attributes);
    assert.deepEqual([resource["service.name"], resource["k8s.cluster.name"]], ["ztunnel", "east"]);
  }
  assert.equal(into.attributes["ztunnel.decision.id"], "no-allow-policies");
});

testWithCollector("otelcol: what waits is sent when the proxies stop", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(tempDir());
  const collector = stack.use(await OtelCollector.start());
  const proxies = await callWithExport(stack, folder, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BLRP_SCHEDULE_DELAY: "3600000",
    OTEL_BSP_SCHEDULE_DELAY: "3600000",
  });
  await Promise.all(proxies.map((proxy) => proxy.stop("SIGTERM")));
  await collector.records(areAll);
});

/** Writes the certificate and key of a collector at 127.0.0.1, and the certificate of its authority. */
async function writeCollectorFiles(folder: TempDir) {
  const paths = {
    certificate: `${folder.path}/collector.pem`,
    key: `${folder.path}/collector.key`,
    authority: `${folder.path}/collector-ca.pem`,
  };
  const { cert, key } = serverIdentity(ROOT, { names: [ipName(127, 0, 0, 1)] });
  await Deno.writeTextFile(paths.certificate, cert);
  await Deno.writeTextFile(paths.key, key);
  await Deno.writeTextFile(paths.authority, ROOT_PEM);
  return paths;
}

const SHORT_DELAYS = { OTEL_BLRP_SCHEDULE_DELAY: "100", OTEL_BSP_SCHEDULE_DELAY: "100" };

testWithCollector(
  "otelcol: by TLS, with the certificate authority that OTEL_EXPORTER_OTLP_CERTIFICATE names",
  async () => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(tempDir());
    const files = await writeCollectorFiles(folder);
    const collector = stack.use(await OtelCollector.start(files));
    const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...SHORT_DELAYS };
    const [untrusting] = await callWithExport(stack, folder, settings);
    await untrusting!.line(/OTLP logs are not exported to https:.*certificate.*\(OTEL_EXPORTER_OTLP_CERTIFICATE\)/);
    await callWithExport(stack, folder, { ...settings, OTEL_EXPORTER_OTLP_CERTIFICATE: files.authority });
    await collector.records(areAll);
  },
);

testWithCollector(
  "otelcol: a collector that asks for a certificate gets that of OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
  async () => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(tempDir());
    const { authority, ...files } = await writeCollectorFiles(folder);
    const collector = stack.use(await OtelCollector.start({ ...files, clientAuthorities: authority }));
    const settings = {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_CERTIFICATE: authority,
      ...SHORT_DELAYS,
    };
    const [nameless] = await callWithExport(stack, folder, settings);
    await nameless!.line(/OTLP logs are not exported to https:.*\(OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE\)/);
    const client = serverIdentity(ROOT);
    await Deno.writeTextFile(`${folder.path}/client.pem`, client.cert);
    await Deno.writeTextFile(`${folder.path}/client.key`, client.key);
    await callWithExport(stack, folder, {
      ...settings,
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: `${folder.path}/client.pem`,
      OTEL_EXPORTER_OTLP_CLIENT_KEY: `${folder.path}/client.key`,
    });
    await collector.records(areAll);
  },
);

/** The steps of the tests of double HBONE, for any pair of proxies. */
import { strict as assert } from "node:assert";
import { commandName } from "../lab/commands.ts";
import { sumOf } from "../lab/scrape.ts";
import { failure, get, nginx } from "../lab/bed/apps.ts";
import { identityOf, NAMESPACE, SERVICE } from "../lab/bed/mesh.ts";
import { APP_SERVICE_PORT, OTHER_IDENTITY, type TwoNetworksBed, WITHOUT_SANS, WRONG_SANS } from "./two_networks.ts";
import { baggageOf } from "./rust_peer_mesh.ts";

const NC = commandName("nc");

const MEGABYTE = 2 ** 20;
const BULK = 256 * MEGABYTE;
const CROWD = 50;
/** A shell command that prints {@link BULK} bytes that do not compress. */
const NOISE = `openssl enc -aes-128-ctr -K ${"0".repeat(32)} -iv ${
  "0".repeat(32)
} -in /dev/zero 2>/dev/null | head -c ${BULK}`;

/** Fields of the outbound access log line. */
const OUTBOUND = {
  "src.workload": "client",
  "src.namespace": NAMESPACE,
  "src.identity": identityOf("client"),
  "src.cluster": "Kubernetes",
  "dst.hbone_addr": `${SERVICE.hostname}:${SERVICE.port}`,
  "dst.service": SERVICE.hostname,
  "dst.workload": "server-app",
  "dst.namespace": NAMESPACE,
  "dst.identity": identityOf("server"),
  "dst.cluster": "Kubernetes",
  direction: "outbound",
} as const;

/** Labels of the metrics at both ends. The far proxy takes the source labels from baggage: its mesh has no client. */
const LABELS = {
  source_workload: "client-app",
  source_principal: identityOf("client"),
  source_region: "north",
  destination_service: SERVICE.hostname,
  destination_service_name: "server",
  destination_workload: "server-app",
  destination_canonical_service: "server-canonical",
  destination_canonical_revision: "v1",
  destination_principal: identityOf("server"),
  destination_cluster: "Kubernetes",
  destination_region: "north",
  connection_security_policy: "mutual_tls",
} as const;

/** Runs all steps; the first failure ends them. */
export async function doubleHboneSteps(t: Deno.TestContext, bed: TwoNetworksBed): Promise<void> {
  const { near, far, client } = bed;
  await nginx(bed.cluster, bed.server.namespace, "server");
  const app = await bed.app();
  // Steps after a failure would wait for log lines that are never printed.
  const step = async (name: string, run: () => void | Promise<void>) => {
    if (!await t.step(name, run)) throw new Error(lastLines(bed));
  };

  await step(
    "HTTP by VIP: the far server responds, both proxies log the connection's ends, dataplane TE-08",
    async () => {
      assert.equal(await get(client.namespace, SERVICE.ip, SERVICE.port), `server from ${bed.gatewayIp}`);
      const out = await near.proxy.line(/access.*connection complete.*direction="outbound"/);
      const inbound = await far.proxy.line(/access.*connection complete.*direction="inbound"/);
      assert.equal(out.level, "info");
      for (const [name, value] of Object.entries(OUTBOUND)) assert.equal(out.fields.get(name), value, name);
      assert.equal(out.fields.get("dst.addr"), `${bed.gatewayIp}:15008`);
      assert.equal(inbound.fields.get("src.identity"), identityOf("client"));
      assert.equal(inbound.fields.get("src.workload"), "client-canonical", "from the baggage of the inner request");
      assert.equal(inbound.fields.get("dst.hbone_addr"), OUTBOUND["dst.hbone_addr"]);
      assert.equal(inbound.fields.get("bytes_sent"), out.fields.get("bytes_recv"));
      assert.equal(inbound.fields.get("bytes_recv"), out.fields.get("bytes_sent"));
    },
  );

  await step("the gateway receives the outer request, without x-forwarded-network, dataplane HD-10", () => {
    const { forwarded, traceparent, ...others } = bed.gatewayRequests[0]!;
    assert.deepEqual(others, {
      ":method": "CONNECT",
      ":authority": OUTBOUND["dst.hbone_addr"],
      baggage: baggageOf("client"),
    });
    assert.match(forwarded!, new RegExp(`^for="${client.ip}:\\d+";host=${SERVICE.hostname}$`));
    assert.match(traceparent!, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  await step("one connection is counted on either side, with the labels of the far end", async () => {
    for (const [node, reporter] of [[near, "source"], [far, "destination"]] as const) {
      const samples = await bed.samples(node);
      for (const name of ["istio_tcp_connections_opened_total", "istio_tcp_connections_closed_total"]) {
        assert.equal(sumOf(samples, name, { reporter, ...LABELS }), 1, `${name} of the ${reporter}`);
      }
    }
  });

  await step("256 MB are sent and echoed at the same time without a changed byte", async () => {
    const there = `{ echo echo; ${NOISE}; } | ${NC} -N ${SERVICE.ip} ${APP_SERVICE_PORT} | sha256sum`;
    const [sent, back] = await Promise.all([
      client.namespace.run("sh", "-c", `${NOISE} | sha256sum`),
      client.namespace.run("sh", "-c", there),
    ]);
    assert.equal(back, sent);
    await near.proxy.line(new RegExp(`access.*bytes_sent=${BULK + "echo\n".length} bytes_recv=${BULK}\\b`));
  });

  await step("half-close: the whole request, its end, then the response, dataplane CP-06", async () => {
    const size = 3 * MEGABYTE + 1;
    const count = `{ echo count; head -c ${size} /dev/zero; } | ${NC} -N ${SERVICE.ip} ${APP_SERVICE_PORT}`;
    assert.equal(await client.namespace.run("sh", "-c", count), `${size}`);
  });

  await step("the client's reset closes the far connection", async () => {
    const held = await bed.hold();
    await app.line(/^holding$/);
    held.signal("SIGUSR2");
    await app.line(/^gone: (end|reset)$/);
  });

  await step(
    `${CROWD} concurrent connections share one connection to the gateway, each with its own bytes`,
    async () => {
      const crowd = await bed.crowd(CROWD, MEGABYTE);
      assert.equal(await bed.hboneConnections(), 1);
      crowd.signal("SIGUSR2");
      assert.equal((await crowd.line(/^(\d+) whole$/))[1], `${CROWD}`);
    },
  );

  await step("a server whose certificate is not among the SANs of the service is refused", async () => {
    assert.notEqual(await failure(client.namespace, WRONG_SANS.ip, SERVICE.port), 0);
    const { fields } = await near.proxy.line(new RegExp(`access.*dst\\.service="${WRONG_SANS.hostname}".*error=`));
    assert.ok(fields.get("error")?.includes(refusal(OTHER_IDENTITY)), fields.get("error") ?? "no error");
    assert.equal(fields.get("dst.workload"), "gateway", "the server is unknown before its identity is proven");
  });

  await step("a service without SANs: every server is refused, xds Q13", async () => {
    assert.notEqual(await failure(client.namespace, WITHOUT_SANS.ip, SERVICE.port), 0);
    const { fields } = await near.proxy.line(new RegExp(`access.*dst\\.service="${WITHOUT_SANS.hostname}".*error=`));
    assert.ok(fields.get("error")?.includes(refusal("")), fields.get("error") ?? "no error");
  });

  await step("the gateway is killed: open connections end, and later ones fail", async () => {
    const held = await bed.hold();
    await app.matches(/^holding$/, 2);
    await bed.gateway.stop("SIGKILL");
    await held.line(/^(end|reset)$/);
    // The Rust ztunnel logs this as a success (observed O41).
    await near.proxy.program.matches(/connection complete.*dst\.workload="server-app".*bytes_sent=5 bytes_recv=0/, 2);
    assert.notEqual(await failure(client.namespace, SERVICE.ip, SERVICE.port), 0);
  });
}

function refusal(expected: string): string {
  return `did not present the expected SAN (${expected}), got ${identityOf("server")}`;
}

/** The last lines of the proxies and the gateway, for the error message. */
function lastLines({ near, far, gateway }: TwoNetworksBed): string {
  const lines = [near, far].flatMap(({ name, proxy }) =>
    proxy.program.printed.slice(-4).map((line) => `${name}: ${line}`)
  );
  return [...lines, ...gateway.printed.slice(-2)].join("\n");
}

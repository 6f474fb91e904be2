/** The system calls that shared mode adds to a connection: into the pod's namespace and back, for each dial. */
import { strict as assert } from "node:assert";
import { parseStrace } from "../lab/strace.ts";
import { nginx } from "../lab/bed/apps.ts";
import { Cluster } from "../lab/bed/cluster.ts";
import { HTTP } from "../lab/bed/mesh.ts";
import { testNeeding } from "../lab/needs.ts";
import { Program } from "../lab/program.ts";
import { cacheProgram, Proxy } from "../lab/proxy.ts";

/** Dials to the application; the client's side dials once for all connections. */
const PER_CONNECTION = { client: 0, server: 2 };
const CALLS = 500;

/** Calls of `setns` by the process until it is stopped. */
async function traceSetns(pid: number): Promise<Program> {
  const tracer = new Program("strace", { args: ["-c", "-f", "-e", "trace=setns", "-p", `${pid}`] });
  await tracer.line(/attached/);
  return tracer;
}

testNeeding(
  { namespaces: true, packages: ["iptables", "nginx", "strace"] },
  "inpod A2.1: a connection through two pods enters a namespace once, for the dial to the application",
  async () => {
    await cacheProgram("tests/fixtures/connector.ts");
    await using cluster = await Cluster.build({
      pods: [{ name: "client", node: 1 }, { name: "server", node: 2 }],
      env: { RUST_LOG: "info,access=error" },
    });
    const [client, server] = [cluster.pod("client"), cluster.pod("server")];
    await nginx(cluster, server.namespace, "server");
    const caller = cluster.use(
      Proxy.fixture("tests/fixtures/connector.ts", [server.ip, `${HTTP}`, "1"], client.namespace.name),
    );
    await caller.line(/^500 done$/); // the tunnel is open
    const pids = [client.node.proxy.pid, server.node.proxy.pid];
    const tracers = await Promise.all(pids.map(traceSetns));
    for (const tracer of tracers) cluster.use(tracer);
    const before = caller.printed.length;
    await caller.matches(/^\d+ done$/, before + CALLS / 500 + 1);
    caller.signal("SIGUSR2");
    const [, json = ""] = await caller.line(/^(\{.*\})$/);
    const { whole, failures } = JSON.parse(json);
    assert.deepEqual(failures, {});
    const counts = await Promise.all(tracers.map(async (tracer) => {
      const { output } = await tracer.stop("SIGINT");
      return parseStrace(output).get("setns") ?? 0;
    }));
    // The first half ran before the trace, or nearly.
    const traced = { most: whole - 500, least: CALLS };
    assert.equal(counts[0], PER_CONNECTION.client);
    assert.ok(counts[1]! <= PER_CONNECTION.server * traced.most, `${counts[1]} of ${traced.most} connections at most`);
    assert.ok(counts[1]! >= PER_CONNECTION.server * traced.least, `${counts[1]} of ${traced.least} at least`);
  },
);

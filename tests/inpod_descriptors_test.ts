/** A pod that comes when a node proxy has no descriptor left: it is refused with the reason, and served later. */
import { strict as assert } from "node:assert";
import { get, nginx } from "../lab/bed/apps.ts";
import { Cluster } from "../lab/bed/cluster.ts";
import { eventually } from "../lab/eventually.ts";
import { testNeeding } from "../lab/needs.ts";
import { tempDir } from "../lab/temp_dir.ts";
import { deleteAll, listeningPorts, makeIdlePods } from "../testkit/many_pods.ts";

const LIMIT = 200;
/** More than the limit allows: each takes a descriptor for its namespace and three for its listeners. */
const PODS = 40;
const PORTS = [15001, 15006, 15008];

testNeeding(
  { namespaces: true, packages: ["curl", "iptables", "nginx"] },
  "inpod: without descriptors a pod is refused with the reason, and it is served when some are free",
  async () => {
    using folder = tempDir();
    const run = `exec "${Deno.execPath()}" run -A --no-prompt main.ts`;
    const executable = folder.write("proxy.sh", `#!/bin/sh\nulimit -n ${LIMIT}\n${run}\n`);
    Deno.chmodSync(executable, 0o755);
    await using cluster = await Cluster.build({
      pods: [{ name: "client", node: 1 }, { name: "server", node: 1 }],
      env: { ZTUNNEL_WORKER_THREADS: "1" },
      executable: (node) => node === 1 ? executable : undefined,
    });
    const [client, server] = [cluster.pod("client"), cluster.pod("server")];
    const { session } = client.node;
    await nginx(cluster, server.namespace, "server");
    const works = async () => assert.equal(await get(client.namespace, server.ip), `server from ${client.ip}`);
    await works();

    const pods = await makeIdlePods(cluster, PODS);
    let error = "", served = 0;
    for (; error === "" && served < PODS; served++) error = await session.add(pods[served]!);
    const refused = pods[served - 1]!;
    assert.match(
      error,
      /^failure to start proxy : failed to bind to address \S+: Too many open files \(os error 24\)$/,
    );
    assert.deepEqual(await listeningPorts(refused), [], "nothing of it is left");
    assert.deepEqual(await listeningPorts(pods[0]!), PORTS);

    await deleteAll(session, pods.slice(0, 3));
    await eventually("listeners of the pod", async () => (await listeningPorts(refused)).length === PORTS.length);
    await works();
  },
);

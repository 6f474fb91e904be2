/** A real Kubernetes with Istio's charts: what pods of two nodes, of all kinds, do through the product's image. */
import { strict as assert } from "node:assert";
import { eventually } from "../../lab/eventually.ts";
import { testWithKubernetes } from "../../lab/kubernetes/built.ts";
import { failuresOf, runClient, startClient } from "../../lab/kubernetes/clients.ts";
import { KubernetesCluster } from "../../lab/kubernetes/cluster.ts";
import { installIstio, installProxy, ISTIO_NAMESPACE, productImage, proxyPods } from "../../lab/kubernetes/istio.ts";
import {
  authorizationPolicy,
  documents,
  NAMESPACE,
  namespace,
  pod,
  PORTS,
  service,
  serviceAccount,
  workload,
} from "../../lab/kubernetes/objects.ts";
import { forwardedFor, installGatewayApi, startWaypoint } from "../../lab/kubernetes/waypoint.ts";
import { Program } from "../../lab/program.ts";

const SERVER = `server:${PORTS.echo}`;
const HBONE = 15008;
/** A port at which nobody listens. */
const UNUSED = 9;
const LIVENESS = { tcpSocket: { port: PORTS.echo }, periodSeconds: 1, failureThreshold: 3 };
const NEEDS = { packages: ["tcpdump", "curl"] } as const;

const OBJECTS = documents(
  namespace(NAMESPACE, true),
  ...["server", "client", "stranger", "set"].map((name) => serviceAccount(name)),
  pod("server", { app: "server", node: 2 }),
  service("server"),
  pod("client", { app: "client", node: 1 }),
  pod("stranger", { app: "stranger", node: 1 }),
);

testWithKubernetes(NEEDS, "kubernetes: pods of every kind reach one another through the product's image", async (t) => {
  await using cluster = await KubernetesCluster.start();
  const kubectl = (...args: string[]) => cluster.kubectl("-n", NAMESPACE, ...args);
  await installGatewayApi(cluster);
  await installIstio(cluster);
  await installProxy(cluster, await productImage(cluster));
  await cluster.apply(OBJECTS);
  await kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s");

  await t.step("between nodes everything goes by mutual TLS, as both access logs say", async () => {
    await using wire = await captureWire(cluster);
    const { good } = await runClient(cluster, "client", "once", SERVER);
    assert.equal(good, 1);
    for (const [node, name] of await proxyPods(cluster)) {
      const peer = 'src.identity="spiffe://cluster.local/ns/demo/sa/client"';
      await eventually(`the access log of ${node}`, async () => {
        const log = await cluster.kubectl("-n", ISTIO_NAMESPACE, "logs", name);
        return log.split("\n").some((line) => line.includes("connection complete") && line.includes(peer));
      });
    }
    const lines = await wire.lines();
    assert.ok(lines.some((line) => line.includes(`.${HBONE}: Flags`)), "nothing was sent by HBONE");
    assert.deepEqual(lines.filter((line) => line.includes(`.${PORTS.echo}: `)), []);
  });

  await t.step("a policy cuts the connections that it no longer allows, and only those", async () => {
    const before = await openedConnections(cluster);
    await using client = startClient(cluster, "client", "hold", SERVER, "12", "3", "100");
    await using stranger = startClient(cluster, "stranger", "hold", SERVER, "12", "3", "100");
    await eventually("six connections", async () => (await openedConnections(cluster)) >= before + 6);
    const principals = ["cluster.local/ns/demo/sa/stranger"];
    const policy = authorizationPolicy("not-stranger", "server", {
      action: "DENY",
      rules: [{ from: [{ source: { principals } }] }],
    });
    await cluster.apply(documents(policy));
    const [allowed, refused] = [await client.counts(), await stranger.counts()];
    assert.deepEqual({ good: allowed.good, cut: failuresOf(refused) }, { good: 3, cut: 3 });
    assert.equal(failuresOf(await runClient(cluster, "stranger", "once", SERVER)), 1);
    await kubectl("delete", "authorizationpolicy", "not-stranger");
    await eventually("the stranger", async () => (await runClient(cluster, "stranger", "once", SERVER)).good === 1);
  });

  await t.step("a service with a waypoint is reached through it, with the caller's identity", async () => {
    await startWaypoint(cluster, await cluster.field("pod", "server", "{.status.podIP}"));
    await kubectl("label", "service", "server", "istio.io/use-waypoint=waypoint");
    await eventually("a connection by the waypoint", async () => {
      assert.equal((await runClient(cluster, "client", "once", SERVER)).good, 1);
      return (await forwardedFor(cluster)).includes("spiffe://cluster.local/ns/demo/sa/client");
    });
    await kubectl("label", "service", "server", "istio.io/use-waypoint-");
  });

  await t.step("pods of a StatefulSet are reached by name, and its headless service too", async () => {
    await cluster.apply(documents(
      service("set", { headless: true }),
      workload("StatefulSet", "set", { app: "set" }, {
        serviceName: "set",
        replicas: 2,
        podManagementPolicy: "Parallel",
      }),
    ));
    await kubectl("rollout", "status", "statefulset/set", "--timeout=60s");
    // The names reach the proxies a moment after the pods are ready.
    for (const name of ["set-0", "set-1"]) {
      await eventually(`${name} by its name`, async () => {
        const { answer } = await runClient(cluster, "client", "once", `${name}.set:${PORTS.echo}`);
        return answer === `${name} question`;
      });
    }
    assert.match((await runClient(cluster, "client", "once", `set:${PORTS.echo}`)).answer ?? "", /^set-[01] question$/);
  });

  await t.step("pods that live for a second each get through", async () => {
    const job = { completions: 12, parallelism: 4, backoffLimit: 0 };
    await cluster.apply(documents(
      workload("Job", "short", { app: "client", args: ["once", SERVER], spec: { restartPolicy: "Never" } }, job),
    ));
    await kubectl("wait", "--for=condition=Complete", "job/short", "--timeout=100s");
  });

  await t.step("pods with the host's network call into the mesh and are called from it", async () => {
    await cluster.apply(documents(
      pod("hostnet", { app: "hostnet", account: "client", node: 1, hostNetwork: true }),
      service("hostnet"),
    ));
    await kubectl("wait", "--for=condition=Ready", "pod/hostnet", "--timeout=60s");
    assert.equal((await runClient(cluster, "hostnet", "once", SERVER)).answer, "server question");
    assert.equal((await runClient(cluster, "client", "once", `hostnet:${PORTS.echo}`)).answer, "node1 question");
  });

  await t.step("the kubelet's probes pass where mutual TLS is required", async () => {
    await cluster.apply(documents(
      {
        apiVersion: "security.istio.io/v1",
        kind: "PeerAuthentication",
        metadata: { name: "strict", namespace: NAMESPACE },
        spec: { mtls: { mode: "STRICT" } },
      },
      probedPod(),
    ));
    await kubectl("wait", "--for=condition=Ready", "pod/probed", "--timeout=60s");
    await eventually("ten seconds of probes", async () => Number(await probesSince(cluster)) >= 10);
    assert.equal(await cluster.field("pod", "probed", "{.status.containerStatuses[0].restartCount}"), "0");
    assert.equal(await cluster.field("pod", "probed", "{.status.containerStatuses[0].ready}"), "true");
  });

  await t.step(
    "the API server accepts what the charts render with deploy/values, and the plain manifests",
    async () => {
      for (const file of manifests()) {
        await cluster.kubectl(
          "apply",
          "--dry-run=server",
          "--validate=strict",
          "--server-side",
          "--force-conflicts",
          "-f",
          file,
        );
      }
    },
  );

  await t.step("kubectl's exec, logs and port-forward work with pods of the mesh", async () => {
    assert.equal(
      (await kubectl("exec", "server", "--", "/usr/local/bin/app", "once", "127.0.0.1:9090")).includes(
        "server question",
      ),
      true,
    );
    assert.match(await kubectl("logs", "waypoint"), /forwarding for/);
    await using forward = cluster.startKubectl("-n", NAMESPACE, "port-forward", "pod/server", `:${PORTS.http}`);
    const [, port] = await forward.line(/^Forwarding from 127\.0\.0\.1:(\d+)/);
    assert.match(await cluster.onControlPlane("curl", "-s", `http://127.0.0.1:${port}/`), /^server called by/);
  });
});

/** The rendered charts (`fixtures/golden/charts`), and those of `deploy/` whose kinds every cluster has. */
function manifests(): string[] {
  const project = new URL("../..", import.meta.url).pathname;
  const charts = `${project}tests/fixtures/golden/charts`;
  const rendered = [...Deno.readDirSync(charts)].map(({ name }) => `${charts}/${name}`);
  return [...rendered, ...["ztunnel.yaml", "network-policy.yaml"].map((name) => `${project}deploy/${name}`)];
}

/** How many connections the callers' proxies have opened. */
async function openedConnections(cluster: KubernetesCluster): Promise<number> {
  let open = 0;
  for (const name of (await proxyPods(cluster)).values()) {
    const path = `/api/v1/namespaces/${ISTIO_NAMESPACE}/pods/${name}:15020/proxy/metrics`;
    const metrics = await cluster.kubectl("get", "--raw", path);
    for (const [, value] of metrics.matchAll(/^istio_tcp_connections_opened_total\{.*reporter="source".*\} (\d+)$/gm)) {
      open += Number(value);
    }
  }
  return open;
}

function probedPod(): unknown {
  const made = pod("probed", { app: "probed", account: "server", node: 2 }) as { spec: { containers: object[] } };
  made.spec.containers = made.spec.containers.map((container) => ({ ...container, livenessProbe: LIVENESS }));
  return made;
}

/** Seconds since the container started, by the clock of the API server's machine. */
async function probesSince(cluster: KubernetesCluster): Promise<number> {
  const start = await cluster.field("pod", "probed", "{.status.containerStatuses[0].state.running.startedAt}");
  return (Date.now() - Date.parse(start)) / 1000;
}

/** What passes between pods of the two nodes, and to a port of a node at which nobody listens. */
const WIRE = `tcp and (net 10.67.1.0/24 and net 10.67.2.0/24 or port ${UNUSED})`;

/** Captures what passes between the nodes. */
async function captureWire(cluster: KubernetesCluster): Promise<{ lines(): Promise<string[]> } & AsyncDisposable> {
  const [command, ...args] = cluster.inNode(2, "tcpdump", "-i", "eth0", "-n", "-l", "--immediate-mode", WIRE);
  const tcpdump = new Program(command, { args });
  await tcpdump.line(/^listening on /);
  return {
    async lines() {
      // When this packet is seen, so is every one before it.
      await cluster.onControlPlane("sh", "-c", `curl -s http://10.66.0.12:${UNUSED}/; true`);
      await tcpdump.line(new RegExp(`> 10\\.66\\.0\\.12\\.${UNUSED}: Flags \\[S\\]`));
      return tcpdump.printed.slice();
    },
    [Symbol.asyncDispose]: () => tcpdump[Symbol.asyncDispose](),
  };
}

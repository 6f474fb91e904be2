/**
 * Pods that are recreated under a known name while the control plane is away, as those of a StatefulSet are: with real
 * namespaces and redirection (`lab/bed/`) and a scripted control plane.
 */
import { strict as assert } from "node:assert";
import { istio } from "../testkit/gen/resources.js";
import { ipToBytes, parseIp } from "../src/net/address.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "../src/xds/resources.ts";
import { failure, get, nginx } from "../lab/bed/apps.ts";
import { type BedNode, type BedPod, Cluster } from "../lab/bed/cluster.ts";
import { NAMESPACE } from "../lab/bed/mesh.ts";
import { ControlPlane } from "../testkit/control_plane.ts";
import type { AdsStream, ScriptedResource } from "../testkit/control_plane_stream.ts";
import { testNeeding } from "../lab/needs.ts";
import { Proxy } from "../lab/proxy.ts";
import { tempDir } from "../lab/temp_dir.ts";

const NEEDS = { namespaces: true, packages: ["curl", "dig", "iptables", "nginx"] } as const;
/** `place` lends its network namespace to the recreated `web-0`. */
const PODS = [{ name: "web-0", node: 1 }, { name: "server", node: 1 }, { name: "place", node: 1 }] as const;
const APP = 7000;

function workload(name: string, node: string, ...ips: readonly string[]): ScriptedResource {
  const body = istio.workload.Address.encode({
    workload: {
      uid: `bed//Pod/${NAMESPACE}/${name}`,
      name,
      namespace: NAMESPACE,
      serviceAccount: name,
      node,
      addresses: ips.map((ip) => ipToBytes(parseIp(ip)!)),
      tunnelProtocol: istio.workload.TunnelProtocol.HBONE,
    },
  }).finish();
  return { name: `bed//Pod/${NAMESPACE}/${name}`, version: ips.join(), body };
}

/** The next stream to the control plane: answers with these addresses, and no policies. */
async function answer(plane: ControlPlane, resources: readonly ScriptedResource[]): Promise<AdsStream> {
  const stream = await plane.stream();
  await stream.request();
  await stream.request();
  await stream.push(ADDRESS_TYPE, "addresses", resources);
  await stream.push(AUTHORIZATION_TYPE, "policies", []);
  return stream;
}

class Scene implements AsyncDisposable {
  private constructor(
    readonly cluster: Cluster,
    readonly plane: ControlPlane,
    readonly stack: AsyncDisposableStack,
  ) {}

  static async build(): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    const path = `${stack.use(tempDir()).path}/xds.sock`;
    const plane = stack.use(await ControlPlane.start({ path }));
    let answered: Promise<unknown> = Promise.resolve();
    const cluster = await Cluster.build({
      pods: PODS,
      dns: true,
      env: { ISTIO_META_DNS_CAPTURE: "true" },
      prepare(cluster) {
        const known = [cluster.pod("web-0"), cluster.pod("server")];
        answered = answer(plane, known.map(({ name, node, ip, ip6 }) => workload(name, node.name, ip, ip6)));
        Deno.writeTextFileSync(`${cluster.folder}/nothing.json`, "{}");
        const fromPlane = { XDS_ADDRESS: plane.url, LOCAL_XDS_PATH: `${cluster.folder}/nothing.json` };
        return Promise.resolve((node: BedNode) => node.wired.number === 1 ? fromPlane : {});
      },
    });
    stack.use(cluster);
    await answered;
    for (const name of ["server", "place"]) await nginx(cluster, cluster.pod(name).namespace, name);
    const { namespace } = cluster.pod("server");
    const app = cluster.use(Proxy.fixture("tests/fixtures/tcp_app.ts", ["::", `${APP}`], namespace.name));
    await app.line(/listening/);
    await cluster.pod("place").dismiss();
    return new Scene(cluster, plane, stack.move());
  }

  get web(): BedPod {
    return this.cluster.pod("web-0");
  }
  get place(): BedPod {
    return this.cluster.pod("place");
  }
  get server(): BedPod {
    return this.cluster.pod("server");
  }
  get node(): BedNode {
    return this.web.node;
  }

  async leave(): Promise<void> {
    await this.plane.stop();
    await this.node.proxy.line(/XDS client connection error/);
  }

  /** The agent ends `web-0` and hands over this namespace under its name. */
  async comeBack(uid: string, place: BedPod, before: string): Promise<void> {
    assert.equal(await this.node.session.delete(before), "");
    assert.equal(await this.node.session.add({ ...this.web.announced, uid, path: place.namespace.path }), "");
  }

  /** The status of the answer to a DNS question that only the mesh can answer. */
  async status(from: BedPod): Promise<string> {
    const answer = await from.namespace.run("dig", "+tries=1", "+time=4", "@192.0.2.53", "A", "localhost");
    return /status: (\w+)/.exec(answer)?.[1] ?? answer;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stack.disposeAsync();
  }
}

testNeeding(
  NEEDS,
  "inpod A1.14: a pod recreated while the control plane is away is served until an answer confirms or ends it",
  async () => {
    await using scene = await Scene.build();
    const { node, web, place, server } = scene;
    assert.equal(await get(web.namespace, server.ip), `server from ${web.ip}`);

    await scene.leave();
    await scene.comeBack("second", place, web.uid);
    await node.proxy.line(/wl=bed.web-0.*the pod is served as bed..Pod.bed.web-0 because the node's agent says so/);
    assert.equal(await get(place.namespace, server.ip), `server from ${place.ip}`);
    assert.equal(await get(server.namespace, place.ip), `place from ${server.ip}`);
    assert.equal(await scene.status(place), "NOERROR");

    await scene.plane.start();
    const stream = await answer(scene.plane, [workload("web-0", node.name, place.ip, place.ip6)]);
    await node.proxy.line(/wl=bed.web-0.*the control plane confirms the workload of this pod, at 10[.]1[.]0[.]4/);
    assert.equal(await get(place.namespace, server.ip), `server from ${place.ip}`);
    stream.abandon();

    await scene.leave();
    await scene.comeBack("third", web, "second");
    await node.proxy.line(/the pod's own is taken from its network namespace: 10[.]1[.]0[.]2/);
    const args = [server.ip, `${APP}`, "hold", "hold"];
    const client = scene.cluster.use(Proxy.fixture("tests/fixtures/tcp_client.ts", args, web.namespace.name));
    await client.line(/connected/);
    await scene.plane.start();
    await answer(scene.plane, []);
    await node.proxy.line(/nothing is served for this pod any more, and its connections are cut/);
    await client.line(/reset/);
    assert.notEqual(await failure(web.namespace, server.ip), 0);
  },
);

testNeeding(
  NEEDS,
  "inpod A1.14: while the control plane is away another pod's namespace is not served; the log says so, DNS answers",
  async () => {
    await using scene = await Scene.build();
    const { node, web, server } = scene;
    await scene.leave();
    assert.equal(await node.session.delete(server.uid), "");
    await scene.comeBack("second", server, web.uid);
    await node.proxy.line(/wl=bed.web-0.*nothing is served for this pod yet: .* an address of another workload/);
    assert.equal(await scene.status(server), "SERVFAIL");
    assert.notEqual(await failure(server.namespace, web.ip), 0);
  },
);

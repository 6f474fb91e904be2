/** Pods in shared mode with certificates from a real SPIRE: by process, through rotation and restarts, under load. */
import { strict as assert } from "node:assert";
import { failure, get, nginx } from "../../lab/bed/apps.ts";
import { type BedNode, type BedPod, Cluster } from "../../lab/bed/cluster.ts";
import { HTTP, identityOf, NAMESPACE } from "../../lab/bed/mesh.ts";
import { eventually } from "../../lab/eventually.ts";
import { Program } from "../../lab/program.ts";
import { ScriptedRuntime } from "../../testkit/spire/cri.ts";
import { SpirePod } from "../../testkit/spire/pod.ts";
import { RealSpire, testWithSpire } from "../../testkit/spire/real.ts";

const NEEDS = { namespaces: true, packages: ["curl", "iptables", "nginx"] } as const;
const PODS = [
  { name: "client-1", node: 1 },
  { name: "stranger-1", node: 1 },
  { name: "server-2", node: 2, serves: true },
] as const;
const FIRST_USER = 2001;

interface Bed {
  readonly cluster: Cluster;
  readonly spire: RealSpire;
  readonly client: BedPod;
  readonly server: BedPod;
  readonly stranger: BedPod;
}

/** `env`: added to both proxies. One agent serves both nodes; the stranger has no registration entry. */
async function build(env: Readonly<Record<string, string>> = {}): Promise<Bed> {
  let spire: RealSpire | null = null;
  const cluster = await Cluster.build({
    pods: PODS,
    env,
    async prepare(cluster) {
      spire = cluster.use(await RealSpire.start());
      const runtime = cluster.use(await ScriptedRuntime.start(`${cluster.folder}/cri.sock`));
      for (const [index, { uid, name, namespace }] of cluster.pods.entries()) {
        const user = FIRST_USER + index;
        cluster.use(await SpirePod.start(runtime, user, { uid, namespace: namespace.name }));
        if (name === "stranger-1") continue;
        await spire.addEntry({ path: `/ns/${NAMESPACE}/sa/${name}`, selectors: [`unix:uid:${user}`], ttl: 60 });
      }
      const settings = {
        FAKE_CA: "false",
        CA_ADDRESS: "",
        SPIRE_ENABLED: "true",
        SPIRE_ADMIN_ENDPOINT_SOCKET: `unix://${spire.adminSocket}`,
        CONTAINER_RUNTIME_SOCK_PATH: runtime.path,
      };
      return () => settings;
    },
  });
  const server = cluster.pod("server-2");
  await nginx(cluster, server.namespace, server.name);
  return { cluster, spire: spire!, server, client: cluster.pod("client-1"), stranger: cluster.pod("stranger-1") };
}

/** Serial numbers by identity, of one node's certificates. */
async function serials(node: BedNode): Promise<ReadonlyMap<string, string>> {
  const { port } = await node.proxy.place("admin");
  const dump = JSON.parse(await node.namespace.run("curl", "-sS", `http://127.0.0.1:${port}/config_dump`));
  const entries = dump.certificates as { identity: string; certChain: { serialNumber: string }[] }[];
  return new Map(entries.flatMap(({ identity, certChain: [leaf] }) => leaf ? [[identity, leaf.serialNumber]] : []));
}

testWithSpire(
  NEEDS,
  "SPIRE traffic: each pod by its process, a pod without entry is refused, a deleted one is forgotten",
  async () => {
    const { cluster, client, server, stranger } = await build();
    await using _ = cluster;
    await eventually("the entries' arrival", async () => await failure(client.namespace, server.ip) === 0);
    const line = await server.node.proxy.line(/\baccess\b.*src\.identity.*direction="inbound"/);
    assert.equal(line.fields.get("src.identity"), identityOf("client-1"));
    assert.equal(line.fields.get("dst.identity"), identityOf("server-2"));
    assert.notEqual(await failure(stranger.namespace, server.ip), 0);
    await stranger.node.proxy.line(
      /no registration entry for spiffe:\/\/cluster\.local\/ns\/bed\/sa\/stranger-1: SPIRE has none that fits PID/,
    );
    assert.ok((await serials(client.node)).has(identityOf("client-1")));
    assert.equal(await client.node.session.delete(client.uid), "");
    await eventually("the end of the key", async () => !(await serials(client.node)).has(identityOf("client-1")));
  },
);

/** Continuous calls, each on its own connection, and the number of failures. */
class Load implements AsyncDisposable {
  readonly #program: Program;

  constructor(from: BedPod, to: BedPod) {
    const url = `http://${to.ip}:${HTTP}/?[1-1000000]`;
    // To standard error, since curl keeps a thousand such lines back from a pipe at its standard output.
    const status = "%{stderr}%{http_code}\\n";
    const args = ["-s", "-o", "/dev/null", "-w", status, "-H", "Connection: close", "--rate", "20/s", url];
    this.#program = new Program("curl", { args: ["--max-time", "600", ...args], namespace: from.namespace.name });
  }

  get calls(): number {
    return this.#program.printed.length;
  }

  get failed(): readonly string[] {
    return this.#program.printed.filter((line) => line !== "200");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program[Symbol.asyncDispose]();
  }
}

/** ms for three rotations, with a reserve. */
const LONG = 180_000;

testWithSpire(
  NEEDS,
  "SPIRE traffic: rotation and a restart of the agent under load, and no connection fails",
  async () => {
    // Each call has its own handshake.
    const { cluster, spire, client, server } = await build({
      POOL_MAX_STREAMS_PER_CONNECTION: "1",
      POOL_UNUSED_RELEASE_TIMEOUT: "1ms",
    });
    await using _ = cluster;
    await eventually("the entries' arrival", async () => await failure(client.namespace, server.ip) === 0);
    assert.equal(await get(client.namespace, server.ip), `server-2 from ${client.ip}`);
    await using first = new Load(client, server);
    await using second = new Load(client, server);
    const seen = { [client.name]: new Set<string>(), [server.name]: new Set<string>() };
    const rotations = () => Math.min(...Object.values(seen).map(({ size }) => size - 1));
    const look = async (wanted: number) => {
      const end = performance.now() + LONG;
      while (rotations() < wanted) {
        assert.ok(performance.now() < end, `${rotations()} rotations in ${LONG / 1000} s`);
        for (const { name, node } of [client, server]) {
          const serial = (await serials(node)).get(identityOf(name));
          if (serial !== undefined) seen[name]!.add(serial);
        }
        // SPIRE announces no rotation, so the serial numbers are read twice a second.
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    };
    await look(1);
    await spire.stopAgent("SIGKILL");
    await spire.startAgent();
    await look(2);
    const calls = first.calls;
    await eventually("calls after the restart", () => first.calls > calls + 20);
    assert.deepEqual([...first.failed, ...second.failed], []);
    assert.ok(first.calls + second.calls > 200, `${first.calls + second.calls} calls`);
  },
);

/** `ztunnel simulate` and `/simulate` of a running proxy: open connections, ended ones, pairs. */
import { strict as assert } from "node:assert";
import { identityOf, meshText, NAMESPACE } from "../lab/mesh.ts";
import type { Ended } from "../lab/program.ts";
import { Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { type TempDir, tempDir } from "../lab/temp_dir.ts";
import type { SimulationResult } from "../src/mesh/simulate/result.ts";
import { type App, echoApp } from "../testkit/apps.ts";
import { credential, sharedCa } from "../testkit/credentials.ts";
import { HbonePeer } from "../testkit/hbone_peer.ts";
import { freePorts } from "../testkit/ports.ts";

const IP = "127.27.0.10";

/** A proxy of `b` with two workers, which admits only `a`, with a stream of `a` open and a refused one of `c`. */
class Scene implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;

  private constructor(
    stack: AsyncDisposableStack,
    readonly folder: TempDir,
    readonly app: App,
    readonly proxy: Proxy,
    readonly admin: string,
  ) {
    this.#stack = stack;
  }

  static async set(): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(tempDir());
    const app = stack.use(echoApp(IP));
    const mesh = meshText([
      { name: "a", ips: ["127.27.0.1"] },
      { name: "b", ips: [IP], policies: ["only-a"] },
      { name: "c", ips: ["127.27.0.4"] },
    ], [{ name: "only-a", from: ["a"], ports: [app.port] }]);
    const [inboundPort, plaintext, outbound] = freePorts(IP, 3);
    const proxy = stack.use(
      await Proxy.ready({
        ...nodeSettings({ name: "b", ip: IP, mesh, folder: folder.path }),
        ZTUNNEL_WORKER_THREADS: "2",
        UNSTABLE_ENABLE_SOCKS5: "false",
        INBOUND_PORT: `${inboundPort}`,
        INBOUND_PLAINTEXT_PORT: `${plaintext}`,
        OUTBOUND_PORT: `${outbound}`,
      }),
    );
    const ca = sharedCa(folder.path), inbound = await proxy.place("inbound");
    const a = stack.use(await HbonePeer.connect(inbound, credential(ca, identityOf("a"))));
    const tunnel = await a.tunnel(app.authority);
    tunnel.send("hello");
    assert.equal(await tunnel.read(5), "hello");
    const c = stack.use(await HbonePeer.connect(inbound, credential(ca, identityOf("c"))));
    assert.equal(await c.request({ ":authority": app.authority }).status, 401);
    const { hostname, port } = await proxy.place("admin");
    return new Scene(stack.move(), folder, app, proxy, `${hostname}:${port}`);
  }

  /** Runs the command with a policy of this spec. */
  async simulate(spec: string, ...args: readonly string[]): Promise<Ended> {
    const file = this.folder.write("policy.yaml", policy(spec));
    await using command = new Proxy({}, { args: ["simulate", "--policy", file, ...args] });
    return await command.ended();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

function policy(spec: string): string {
  return `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-a, namespace: ${NAMESPACE}}
spec: {selector: {matchLabels: {app: b}}, ${spec}}
`;
}

const ONLY_C = `rules: [{from: [{source: {principals: ["cluster.local/ns/test/sa/c"]}}]}]`;

Deno.test("simulate: a running proxy says what a policy would change for open and ended connections and for pairs", async () => {
  await using scene = await Scene.set();
  const { code, output } = await scene.simulate(ONLY_C, "--admin", scene.admin, "--json");
  assert.equal(code, 1, output);
  const { connections, flows, pairs, applied } = JSON.parse(output) as SimulationResult;
  assert.deepEqual(applied, [{ object: "AuthorizationPolicy test/only-a", effect: "replaced", notes: [] }]);
  const [cut] = connections!.changes;
  assert.deepEqual(
    [
      connections!.refused,
      connections!.allowed,
      cut!.change,
      cut!.source.identity,
      cut!.count,
      cut!.destinations[0]!.ports,
    ],
    [1, 0, "refused", identityOf("a"), 1, [scene.app.port]],
  );
  assert.equal(cut!.before.policy, "test/only-a");
  assert.equal(cut!.after.text, "no allow policies matched");
  const [admitted] = flows!.changes;
  assert.deepEqual([flows!.refused, flows!.allowed, admitted!.source.identity], [0, 1, identityOf("c")]);
  assert.deepEqual(
    pairs!.changes.map(({ change, source, destinations }) => [change, source.identity, destinations[0]!.workload])
      .sort(),
    [["allowed", identityOf("c"), "b"], ["refused", identityOf("a"), "b"]],
  );

  const text = await scene.simulate(ONLY_C, "--admin", scene.admin);
  assert.match(text.output, /^open connections: 1 newly refused, 0 newly allowed \(of 1\)$/m);
  assert.match(
    text.output,
    /test\/b:[0-9,]+: allowed \(allow policy match test\/only-a rule 1\) -> refused .*$/m,
  );
  const same = await scene.simulate(
    `rules: [{from: [{source: {principals: ["cluster.local/ns/test/sa/a"]}}], to: [{operation: {ports: ["${scene.app.port}"]}}]}]`,
    "--admin",
    scene.admin,
  );
  assert.equal(same.code, 0, same.output);
});

Deno.test("simulate: a saved dump gives the same answer for open connections and pairs", async () => {
  await using scene = await Scene.set();
  const dump = await (await fetch(`http://${scene.admin}/config_dump`)).text();
  const file = scene.folder.write("dump.json", dump);
  const [live, saved] = [
    await scene.simulate(ONLY_C, "--admin", scene.admin, "--json"),
    await scene.simulate(ONLY_C, "--dump", file, "--json"),
  ];
  assert.equal(saved.code, 1, saved.output);
  const [one, other] = [JSON.parse(live.output), JSON.parse(saved.output)] as [SimulationResult, SimulationResult];
  assert.deepEqual(other.pairs, one.pairs);
  assert.equal(other.flows, null);
});

Deno.test("simulate: /simulate takes YAML by POST, and refuses what it cannot use", async () => {
  await using scene = await Scene.set();
  const ask = async (body: string, query = "", method = "POST") => {
    const init = method === "GET" ? {} : { method, body };
    const response = await fetch(`http://${scene.admin}/simulate${query}`, init);
    return { status: response.status, text: await response.text() };
  };
  const { status, text } = await ask(policy(ONLY_C));
  assert.equal(status, 200);
  assert.equal((JSON.parse(text) as SimulationResult).connections!.refused, 1);
  assert.deepEqual(await ask("kind: [", ""), {
    status: 400,
    text: `${
      JSON.stringify(
        { error: "policies:1:8: Flow sequence in block collection must be sufficiently indented and end with a ]" },
        null,
        2,
      )
    }\n`,
  });
  const unknown = await ask("", `?delete=test/only-b`);
  assert.equal(unknown.status, 400);
  assert.match(
    unknown.text,
    /cannot delete AuthorizationPolicy test\/only-b: the mesh does not have it; near names: test\/only-a/,
  );
  const deleted = await ask("", "?delete=test/only-a");
  assert.equal((JSON.parse(deleted.text) as SimulationResult).flows!.allowed, 1);
  assert.equal((await ask("x".repeat(1 << 20 + 1))).status, 400);
  assert.equal((await ask("", "", "GET")).status, 405);
});

Deno.test("simulate: mistakes end with code 2 and say where they are", async () => {
  await using folder = tempDir();
  const file = folder.write("bad.yaml", policy("action: ALOW"));
  await using command = new Proxy({}, { args: ["simulate", "--policy", file, "--admin", "127.27.0.9:1"] });
  const { code, output } = await command.ended();
  assert.equal(code, 2);
  assert.match(output, /bad.yaml:5:\d+: cannot use spec.action "ALOW": it must be ALLOW or DENY or AUDIT or CUSTOM/);
});

/** `ztunnel explain` with a running proxy: explanations agree with what connections get. */
import { strict as assert } from "node:assert";
import { type App, echoApp } from "../testkit/apps.ts";
import { credential, sharedCa } from "../testkit/credentials.ts";
import { HbonePeer } from "../testkit/hbone_peer.ts";
import { identityOf, meshText, NAMESPACE } from "../lab/mesh.ts";
import { inTime } from "../lab/eventually.ts";
import type { Ended } from "../lab/program.ts";
import { Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { type TempDir, tempDir } from "../lab/temp_dir.ts";

const IP = "127.25.0.3";

/** A proxy of `b`, which admits only `a`, at its application's port. */
class Scene implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;

  private constructor(
    stack: AsyncDisposableStack,
    readonly folder: TempDir,
    readonly app: App,
    readonly proxy: Proxy,
  ) {
    this.#stack = stack;
  }

  static async set(): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(tempDir());
    const app = stack.use(echoApp(IP));
    const mesh = meshText([
      { name: "a", ips: ["127.25.0.1"] },
      { name: "b", ips: [IP], policies: ["only-a"] },
      { name: "c", ips: ["127.25.0.4"] },
    ], [{ name: "only-a", from: ["a"], ports: [app.port] }]);
    const proxy = stack.use(await Proxy.ready(nodeSettings({ name: "b", ip: IP, mesh, folder: folder.path })));
    return new Scene(stack.move(), folder, app, proxy);
  }

  /** Runs the command with the address of the proxy. */
  async explain(from: string, to: string): Promise<Ended> {
    const { hostname, port } = await this.proxy.place("admin");
    return await explain("--admin", `${hostname}:${port}`, "--from", from, "--to", to);
  }

  /** The status of a real CONNECT of `name`. */
  async tried(name: string): Promise<number | null> {
    const one = credential(sharedCa(this.folder.path), identityOf(name));
    await using peer = await HbonePeer.connect(await this.proxy.place("inbound"), one);
    return await inTime("the answer", peer.request({ ":authority": this.app.authority }).status);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

async function explain(...args: readonly string[]): Promise<Ended> {
  await using command = new Proxy({}, { args: ["explain", ...args] });
  return await command.ended();
}

Deno.test("explain: a running proxy explains what a connection gets", async () => {
  await using scene = await Scene.set();
  const to = scene.app.authority;
  const allowed = await scene.explain(`${NAMESPACE}/a`, to);
  assert.equal(allowed.code, 0);
  assert.match(allowed.output, /^ALLOWED: HBONE to test\/b, allowed there: allow policy match \(test\/only-a\)$/m);
  assert.equal(await scene.tried("a"), 200);
  const refused = await scene.explain(`${NAMESPACE}/c`, to);
  assert.equal(refused.code, 2);
  assert.match(
    refused.output,
    /rule 1: principal cluster.local\/ns\/test\/sa\/c is not among cluster.local\/ns\/test\/sa\/a/,
  );
  assert.equal(await scene.tried("c"), 401);
});

Deno.test("explain: a saved dump gives the same explanation as its proxy", async () => {
  await using scene = await Scene.set();
  const question = ["--from", "test/c", "--to", `test/b:${scene.app.port}`];
  const text = await (await fetch(await scene.proxy.url("admin", "/config_dump"))).text();
  const file = scene.folder.write("dump.json", text);
  const { hostname, port } = await scene.proxy.place("admin");
  const [live, saved] = [
    await explain("--admin", `${hostname}:${port}`, ...question, "--json"),
    await explain("--dump", file, ...question, "--json"),
  ];
  assert.equal(live.code, 2);
  assert.deepEqual(JSON.parse(saved.output), JSON.parse(live.output));
});

Deno.test("explain: an unknown workload, and a proxy that does not run", async () => {
  await using scene = await Scene.set();
  const unknown = await scene.explain("test/bb", "127.0.0.1:80");
  assert.equal(unknown.code, 1);
  assert.match(unknown.output, /^Error: there is no workload "test\/bb"\n\nDid you mean:\n/);
  const nobody = await explain("--admin", "127.25.0.9:1", "--from", "test/a", "--to", "127.0.0.1:80");
  assert.equal(nobody.code, 1);
  assert.match(nobody.output, /^Error: cannot ask the proxy at 127.25.0.9:1: /);
});

Deno.test("explain: /explain of the admin port answers in JSON", async () => {
  await using scene = await Scene.set();
  const ask = async (query: string) => {
    const response = await fetch(await scene.proxy.url("admin", `/explain${query}`));
    return { status: response.status, body: await response.text() };
  };
  const { status, body } = await ask(`?from=test/a&to=${scene.app.authority}`);
  assert.equal(status, 200);
  assert.equal(JSON.parse(body).explanation.outlook, "allowed");
  assert.equal((await ask("")).status, 400);
  assert.match((await ask("?from=nobody&to=x:1")).body, /"UNKNOWN_SOURCE"/);
});

/** A proxy whose mesh comes from a control plane: when it serves, what it serves, and changes while it serves. */
import * as grpc from "@grpc/grpc-js";
import { strict as assert } from "node:assert";
import { istio } from "../testkit/gen/resources.js";
import { ROOT_PEM, serverIdentity, VALID_NOW } from "../src/grpc/testkit/server.ts";
import { makeCa } from "../src/identity/testkit/certificates.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "../src/xds/resources.ts";
import { type App, echoApp } from "../testkit/apps.ts";
import { ControlPlane } from "../testkit/control_plane.ts";
import type { AdsStream, ScriptedResource } from "../testkit/control_plane_stream.ts";
import { credential, sharedCa } from "../testkit/credentials.ts";
import { HbonePeer } from "../testkit/hbone_peer.ts";
import { identityOf, meshText, NAMESPACE, nodeOf } from "../lab/mesh.ts";
import { makeMesh } from "../testkit/mesh_resources.ts";
import { freePorts } from "../testkit/ports.ts";
import { Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { type TempDir, tempDir } from "../lab/temp_dir.ts";

const IP = "127.23.0.3";
/** The port of the control plane, which it keeps over restarts. */
const GOOD = serverIdentity();

/** The proxy's own workload. */
function ownWorkload(policies: readonly string[] = []): ScriptedResource {
  const body = istio.workload.Address.encode({
    workload: {
      uid: "b",
      name: "b",
      namespace: NAMESPACE,
      serviceAccount: "b",
      addresses: [Uint8Array.from(IP.split(".").map(Number))],
      tunnelProtocol: istio.workload.TunnelProtocol.HBONE,
      node: nodeOf("b"),
      authorizationPolicies: policies.map((name) => `${NAMESPACE}/${name}`),
    },
  }).finish();
  return { name: "b", version: "1", body };
}

type WirePolicy = Parameters<typeof istio.security.Authorization.encode>[0];

function denyPort(name: string, port: number, words: WirePolicy = {}): ScriptedResource {
  const body = istio.security.Authorization.encode({
    name,
    namespace: NAMESPACE,
    scope: istio.security.Scope.NAMESPACE,
    action: istio.security.Action.DENY,
    rules: [{ clauses: [{ matches: [{ destinationPorts: [port] }] }] }],
    ...words,
  }).finish();
  return { name: `${NAMESPACE}/${name}`, body };
}

/** A proxy that waits for its mesh, with an app behind it. */
class Scene implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;

  private constructor(
    stack: AsyncDisposableStack,
    readonly folder: TempDir,
    readonly app: App,
    readonly proxy: Proxy,
    readonly plane: ControlPlane,
    public stream: AdsStream,
  ) {
    this.#stack = stack;
  }

  static async set(more: Readonly<Record<string, string>> = {}): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(tempDir());
    const app = stack.use(echoApp(IP));
    const plane = stack.use(await ControlPlane.start({ identity: GOOD }));
    const settings = nodeSettings({ name: "b", ip: IP, mesh: meshText([]), folder: folder.path }, {
      XDS_ADDRESS: plane.url,
      XDS_ROOT_CA: ROOT_PEM,
      CONNECTION_TERMINATION_DEADLINE: "1h",
      ...more,
    });
    const proxy = stack.use(new Proxy(settings));
    const stream = await plane.stream();
    await stream.request();
    await stream.request();
    return new Scene(stack.move(), folder, app, proxy, plane, stream);
  }

  /** Sends the mesh, and waits until it is served. */
  async serve(addresses: readonly ScriptedResource[], policies: readonly ScriptedResource[] = []): Promise<void> {
    await this.stream.push(ADDRESS_TYPE, "address 1", addresses);
    await this.stream.push(AUTHORIZATION_TYPE, "policy 1", policies);
    await this.proxy.line(/marking server ready/);
  }

  /** The control plane's next stream, of whose first requests the proxy has sent both. */
  async nextStream(): Promise<AdsStream> {
    this.stream.abandon();
    this.stream = await this.plane.stream();
    await this.stream.request();
    await this.stream.request();
    return this.stream;
  }

  async terminations(): Promise<Record<string, number>> {
    const text = await (await fetch(await this.proxy.url("stats", "/metrics"))).text();
    const counts = text.matchAll(/^istio_xds_connection_terminations_total\{reason="(\w+)"\} (\d+)$/gm);
    return Object.fromEntries([...counts].map(([, reason = "", count]) => [reason, Number(count)]));
  }

  async peer(): Promise<HbonePeer> {
    const one = credential(sharedCa(this.folder.path), identityOf("a"));
    return await HbonePeer.connect(await this.proxy.place("inbound"), one);
  }

  async readiness(): Promise<string> {
    const answer = await fetch(await this.proxy.url("readiness", "/healthz/ready"));
    return `${answer.status} ${(await answer.text()).trim()}`;
  }

  /** Sections of the config dump. */
  async dump(): Promise<Record<string, Record<string, unknown>[]>> {
    return await (await fetch(await this.proxy.url("admin", "/config_dump"))).json();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stream.abandon();
    await this.#stack.disposeAsync();
  }
}

Deno.test("mesh from xds: pods are served when both types have been applied, xds 2.10", async () => {
  await using scene = await Scene.set();
  const waiting = "500 not ready, pending: proxy, state manager";
  await scene.proxy.line(/listener established.*component="stats"/);
  assert.equal(await scene.readiness(), waiting);
  await scene.stream.push(ADDRESS_TYPE, "1", [ownWorkload()]);
  assert.equal(await scene.readiness(), waiting);
  assert.equal(scene.proxy.lines.some(({ fields }) => fields.get("component") === "inbound"), false);
  await scene.stream.push(AUTHORIZATION_TYPE, "2", []);
  await scene.proxy.line(/marking server ready/);
  assert.match(await scene.readiness(), /^200/);
  await using peer = await scene.peer();
  const tunnel = await peer.tunnel(scene.app.authority);
  tunnel.send("hello");
  assert.equal(await tunnel.read(5), "hello");
});

Deno.test("mesh from xds: a stop before the first answer ends it at once, observed O1", async () => {
  await using scene = await Scene.set();
  await scene.proxy.line(/listener established.*component="stats"/);
  const { code } = await scene.proxy.stop();
  assert.equal(code, 0);
});

Deno.test("mesh from xds: a new policy ends connections that it denies; a dry-run policy ends none, xds X53, X290 to X292", async () => {
  await using scene = await Scene.set();
  await scene.serve([ownWorkload()]);
  await using peer = await scene.peer();
  const tunnel = await peer.tunnel(scene.app.authority);
  const talk = async () => {
    tunnel.send("hello");
    assert.equal(await tunnel.read(5), "hello");
  };
  await talk();
  await scene.stream.push(AUTHORIZATION_TYPE, "2", [
    denyPort("trial", scene.app.port, { dryRun: true }),
    denyPort("other", scene.app.port + 1),
  ]);
  await talk();
  await scene.stream.push(AUTHORIZATION_TYPE, "3", [denyPort("deny", scene.app.port)]);
  const line = await scene.proxy.line(/error="connection closed due to policy change"/);
  assert.equal(line.scope, "access");
  assert.equal(await peer.request({ ":method": "CONNECT", ":authority": scene.app.authority }).status, 401);
  await scene.stream.push(AUTHORIZATION_TYPE, "4", [], [`${NAMESPACE}/deny`]);
  const again = await peer.tunnel(scene.app.authority);
  again.send("hello");
  assert.equal(await again.read(5), "hello");
  const told = scene.proxy.lines.map(({ message }) => message).filter((text) => text.startsWith("handling RBAC"));
  assert.deepEqual(told, [
    "handling RBAC update trial",
    "handling RBAC update other",
    "handling RBAC update deny",
    `handling RBAC delete ${NAMESPACE}/deny`,
  ]);
});

Deno.test("mesh from xds: a bad resource is refused alone, xds X54, X60", async () => {
  await using scene = await Scene.set();
  const BAD = Uint8Array.of(0xff);
  const resources = [{ name: "x", body: BAD }, ownWorkload(), { name: "y", body: new Uint8Array(0) }];
  scene.stream.respond({ typeUrl: ADDRESS_TYPE, nonce: "1", resources });
  await scene.stream.expectNack("1", /^y: unknown address type; x: decode: /);
  assert.deepEqual((await scene.dump())["workloads"]!.map(({ uid }) => uid), ["b"]);
  await scene.serve([]);
});

Deno.test("mesh from xds: whatever the control plane does, traffic goes on, and the next valid response is applied", async (t) => {
  using files = tempDir();
  const roots = files.write("root.pem", ROOT_PEM), token = files.write("token", "some.token");
  await using scene = await Scene.set({ XDS_ROOT_CA: roots, AUTH_TOKEN: token });
  await scene.serve([ownWorkload()]);
  await using peer = await scene.peer();
  const held = await peer.tunnel(scene.app.authority);
  const unharmed = async () => {
    for (const tunnel of [held, await peer.tunnel(scene.app.authority)]) {
      tunnel.send("hello");
      assert.equal(await tunnel.read(5), "hello");
    }
    assert.deepEqual((await scene.dump())["workloads"]!.map(({ uid }) => uid), ["b"]);
    assert.match(await scene.readiness(), /^200/);
  };
  const { plane, proxy } = scene;
  const misdeeds: Readonly<Record<string, { readonly does: () => Promise<void> | void; readonly log: RegExp }>> = {
    "a response that is no message": {
      does: () => scene.stream.send(Uint8Array.of(0xff, 0xff)),
      log: /response cannot be decoded.*retrying in/,
    },
    "an end of the stream": { does: () => scene.stream.end(), log: /XDS client complete/ },
    "a status": {
      does: () => scene.stream.fail(grpc.status.INTERNAL, "out of order"),
      log: /gRPC error status: Internal, message: "out of order".*retrying in/,
    },
    "it dies": {
      async does() {
        await plane.stop();
        await proxy.line(/XDS client connection error/);
        await plane.start();
      },
      log: /XDS client connection error.*retrying in/,
    },
    "it comes back with a forged certificate": {
      async does() {
        await plane.stop();
        await plane.start(serverIdentity(makeCa("Root", VALID_NOW), { version: 1 }));
        await proxy.line(/has X\.509 version 1, not 3/);
        await plane.stop();
        await plane.start(GOOD);
      },
      log: /invalid peer certificate.*retrying in/,
    },
    "it comes back with a certificate of another authority": {
      async does() {
        await plane.stop();
        await plane.start(serverIdentity(makeCa("Stranger", VALID_NOW)));
        await proxy.line(/no trusted root has issued the server's certificate/);
        await plane.stop();
        await plane.start(GOOD);
      },
      log: /no trusted root has issued.*retrying in/,
    },
    "it ends the stream, and the root certificates are gone": {
      async does() {
        Deno.removeSync(roots);
        scene.stream.end();
        await proxy.line(/cannot read root certificates/);
        files.write("root.pem", ROOT_PEM);
      },
      log: /cannot read root certificates in ".*" \(XDS_ROOT_CA\): No such file.*retrying in/,
    },
    "it ends the stream, and the token is gone": {
      async does() {
        Deno.removeSync(token);
        scene.stream.end();
        await proxy.line(/cannot read token file/);
        files.write("token", "some.token");
      },
      log: /cannot read token file .* \(AUTH_TOKEN\): No such file.*retrying in/,
    },
  };
  for (const [what, { does, log }] of Object.entries(misdeeds)) {
    await t.step(what, async () => {
      const told = proxy.lines.length;
      await does();
      await proxy.line(log);
      await unharmed();
      const stream = await scene.nextStream();
      await stream.push(ADDRESS_TYPE, "again", [ownWorkload()]);
      await unharmed();
      assert.ok(proxy.lines.slice(told).every(({ level }) => level !== "error"));
    });
  }
  await t.step("each is counted by its reason", async () => {
    const { Complete, Error, ConnectionError, Reconnect = 0 } = await scene.terminations();
    assert.equal(Complete, 3);
    // A lost connection counts as ended, and then the next attempts fail.
    assert.ok(Error! >= 3 && ConnectionError! >= 4 && Reconnect <= 3);
  });
  await t.step("a denying policy is applied to the connection that was open all the time", async () => {
    await scene.stream.push(AUTHORIZATION_TYPE, "deny", [denyPort("deny", scene.app.port)]);
    await proxy.line(/error="connection closed due to policy change"/);
  });
});

Deno.test("mesh from xds: a large mesh in addition to a static one, in two workers", async () => {
  const [inbound, plaintext, outbound] = freePorts(IP, 3);
  await using scene = await Scene.set({
    LOCAL_XDS: meshText([{ name: "static", ips: ["127.23.0.9"] }]),
    ZTUNNEL_WORKER_THREADS: "2",
    UNSTABLE_ENABLE_SOCKS5: "false",
    INBOUND_PORT: `${inbound}`,
    INBOUND_PLAINTEXT_PORT: `${plaintext}`,
    OUTBOUND_PORT: `${outbound}`,
  });
  const mesh = makeMesh({ workloads: 5000, services: 1000, policies: 50 });
  await scene.serve([...mesh.addresses, ownWorkload()], mesh.policies);
  const dump = await scene.dump();
  assert.equal(dump["workloads"]!.length, 5002);
  assert.equal(dump["services"]!.length, 1000);
  assert.equal(dump["policies"]!.length, 50);
  assert.deepEqual(dump["stagedServices"], {});
  // Both workers have the pod.
  for (let i = 0; i < 8; i++) {
    await using peer = await scene.peer();
    const tunnel = await peer.tunnel(scene.app.authority);
    tunnel.send("hello");
    assert.equal(await tunnel.read(5), "hello");
  }
  await scene.stream.push(ADDRESS_TYPE, "2", [], [...mesh.addresses.map(({ name }) => name), `${NAMESPACE}/static`]);
  assert.deepEqual((await scene.dump())["workloads"]!.map(({ name }) => name), ["b"]);
});

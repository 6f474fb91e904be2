/** istioctl reads our config dump like that of the Rust ztunnel. */
import { strict as assert } from "node:assert";
import { configDumpRoute, type DumpSources } from "../../src/admin/config_dump_route.ts";
import type { HttpHandler } from "../../src/admin/http_connection.ts";
import { isStreamed } from "../../src/admin/response.ts";
import { ROOT_PEM } from "../../src/grpc/testkit/server.ts";
import { CertificateError } from "../../src/identity/authority.ts";
import type { CertificateStatus } from "../../src/identity/certificate_manager.ts";
import { parseSpiffeId } from "../../src/identity/spiffe_id.ts";
import { MeshDump } from "../../src/mesh/dump/sections.ts";
import { MeshState } from "../../src/mesh/state/state.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "../../src/xds/resources.ts";
import { ControlPlane } from "../../testkit/control_plane.ts";
import type { AdsStream, ScriptedResource } from "../../testkit/control_plane_stream.ts";
import { credential, sharedCa } from "../../testkit/credentials.ts";
import { HbonePeer } from "../../testkit/hbone_peer.ts";
import { testWithIstioctl, ztunnelConfig } from "../../testkit/istio/istioctl.ts";
import { meshText } from "../../lab/mesh.ts";
import { Proxy } from "../../lab/proxy.ts";
import { nodeSettings } from "../../lab/settings.ts";
import { type TempDir, tempDir } from "../../lab/temp_dir.ts";

const GOLDEN = new URL("../fixtures/golden/", import.meta.url).pathname;
/** The dump of the Rust ztunnel for the mesh of {@link recorded}. */
const THEIRS = `${GOLDEN}config_dump-node1.json`;

/** What a real istiod sent. */
function recorded(type: string): ScriptedResource[] {
  const lines = Deno.readTextFileSync(`${GOLDEN}xds-wildcard.jsonl`).trim().split("\n");
  const messages = lines.map((line) => JSON.parse(line)).filter(({ recv }) => recv === type);
  return messages.flatMap(({ resources }) => resources).map(({ name, version, raw }) => ({
    name,
    version,
    body: Uint8Array.from(atob(raw), (c) => c.charCodeAt(0)),
  }));
}

/** A proxy of one recorded workload that has the whole recorded mesh. */
class Recorded implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;

  private constructor(
    stack: AsyncDisposableStack,
    readonly folder: TempDir,
    readonly proxy: Proxy,
    readonly stream: AdsStream,
  ) {
    this.#stack = stack;
  }

  static async start(): Promise<Recorded> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(tempDir());
    const plane = stack.use(await ControlPlane.start());
    const proxy = stack.use(
      new Proxy(nodeSettings({ name: "client-1", ip: "127.24.0.3", mesh: meshText([]), folder: folder.path }, {
        PROXY_WORKLOAD_INFO: "app/client-1/client",
        NODE_NAME: "node1",
        XDS_ADDRESS: plane.url,
        XDS_ROOT_CA: ROOT_PEM,
      })),
    );
    const stream = await plane.stream();
    await stream.request();
    await stream.request();
    await stream.push(ADDRESS_TYPE, "1", recorded(ADDRESS_TYPE));
    await stream.push(AUTHORIZATION_TYPE, "2", recorded(AUTHORIZATION_TYPE));
    await proxy.line(/marking server ready/);
    return new Recorded(stack.move(), folder, proxy, stream);
  }

  /** Its dump as a file. */
  async dump(): Promise<string> {
    const response = await fetch(await this.proxy.url("admin", "/config_dump"));
    assert.equal(response.headers.get("content-type"), "application/json");
    return this.folder.write("dump.json", await response.text());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stream.abandon();
    await this.#stack.disposeAsync();
  }
}

testWithIstioctl("istioctl: workloads, services and policies print as from the Rust ztunnel", async () => {
  await using scene = await Recorded.start();
  const ours = await scene.dump();
  for (const section of ["workloads", "services", "policies"] as const) {
    const table = await ztunnelConfig(section, ours);
    assert.equal(table, await ztunnelConfig(section, THEIRS), section);
    assert.ok(table.split("\n").length > 5);
    for (const format of ["json", "yaml"]) {
      assert.equal(
        await ztunnelConfig(section, ours, "-o", format),
        await ztunnelConfig(section, THEIRS, "-o", format),
      );
    }
  }
});

testWithIstioctl("istioctl: certificates of a running proxy, and all sections at once", async () => {
  await using scene = await Recorded.start();
  const identity = "spiffe://cluster.local/ns/app/sa/client";
  await using _peer = await HbonePeer.connect(
    await scene.proxy.place("inbound"),
    credential(sharedCa(scene.folder.path), "spiffe://cluster.local/ns/app/sa/other"),
  );
  const file = await scene.dump();
  const [certificate] = JSON.parse(await Deno.readTextFile(file)).certificates;
  const [leaf] = certificate.certChain;
  const [root] = certificate.rootCerts;
  const rows = cells(await ztunnelConfig("certificates", file));
  const serial = ({ serialNumber }: { serialNumber: string }) => BigInt(serialNumber).toString(16);
  assert.deepEqual(rows, [
    [identity, "Leaf", "Available", "true", serial(leaf), leaf.expirationTime, leaf.validFrom],
    [identity, "Root", "Available", "true", serial(root), root.expirationTime, root.validFrom],
  ]);
  const all = await ztunnelConfig("all", file);
  for (const heading of ["POD NAME", "SERVICE VIP", "POLICY NAME", "CERTIFICATE NAME", "REMOTE TARGET"]) {
    assert.ok(all.includes(heading), heading);
  }
});

/** The rows of a table without its heading. */
function cells(table: string): string[][] {
  return table.trim().split("\n").slice(1).map((line) => line.trim().split(/\s{2,}/));
}

function meshOf(state: MeshState): DumpSources["mesh"] {
  const dump = new MeshDump(state);
  return () =>
    Promise.resolve({
      async *section(name) {
        yield* dump.pieces(name);
      },
      end() {},
    });
}

/** A dump put together from `sources`. */
async function written(sources: Partial<DumpSources>, folder: TempDir): Promise<string> {
  const handler: HttpHandler = configDumpRoute({
    certificates: () => [],
    config: {},
    version: {},
    staticConfig: () => ({ policies: [], services: [], workloads: [] }),
    mesh: meshOf(new MeshState()),
    workloadState: null,
    ...sources,
  }, { now: () => 0, turn: () => Promise.resolve() });
  const head = {
    method: "GET",
    path: "/",
    query: "",
    headers: new Map(),
    minor: 1,
    keepAlive: true,
    bodyLength: 0,
    waitsWithBody: false,
  };
  const response = await handler(head as Parameters<HttpHandler>[0]);
  assert.ok(isStreamed(response));
  let text = "";
  for (let piece = await response.next(); piece !== null; piece = await response.next()) text += piece;
  response.close();
  return folder.write("written.json", text);
}

testWithIstioctl("istioctl 9.4: certificates that are not there yet, or failed", async () => {
  using folder = tempDir();
  const status = (name: string, state: CertificateStatus["state"]): CertificateStatus => ({
    subject: { id: parseSpiffeId(`spiffe://cluster.local/ns/app/sa/${name}`)!, workloadUid: null },
    state,
    lastError: null,
  });
  const error = new CertificateError(
    "signing gRPC error (The service is currently unavailable): no upstream",
    "UNAVAILABLE",
  );
  const file = await written({
    certificates: () => [status("broken", { at: "unavailable", error }), status("pending", { at: "initializing" })],
  }, folder);
  assert.deepEqual(cells(await ztunnelConfig("certificates", file)), [
    ["spiffe://cluster.local/ns/app/sa/broken", "NA", "Unavailable", "false", "NA", "NA", "NA"],
    ["spiffe://cluster.local/ns/app/sa/pending", "NA", "Initializing", "false", "NA", "NA", "NA"],
  ]);
});

/** With the fields that only this proxy has. */
const DUMPED = {
  actualDst: "10.0.0.2:8080",
  age: 5,
  carrier: null,
  decision: "no-allow-policies",
  halfClosed: true,
  id: "0af7651916cd43dd8448eb211c80319c",
  identity: null,
  idle: 2,
  originalDst: null,
  protocol: "TCP",
  route: null,
  service: null,
  src: "10.0.0.9:50110",
  state: "half-closed",
  tls: { group: "x25519", version: "TLSv1.3" },
};

testWithIstioctl("istioctl 9.4: connections of pods, and a policy without rules", async () => {
  using folder = tempDir();
  const state = new MeshState();
  state.apply([{
    kind: "policy",
    key: "app/empty" as never,
    policy: { name: "empty", namespace: "app", scope: "Namespace", action: "Allow", dryRun: false, rules: [] },
  }]);
  const file = await written({
    mesh: meshOf(state),
    async *workloadState() {
      yield JSON.stringify({
        "pod-1": {
          connections: {
            inbound: [DUMPED],
            outbound: [],
          },
          info: { name: "one", namespace: "app", serviceAccount: "one" },
          state: "Up",
        },
      });
    },
  }, folder);
  assert.deepEqual(cells(await ztunnelConfig("policies", file)), [["app", "empty", "Allow", "Namespace"]]);
  const [, row = ""] = (await ztunnelConfig("connections", file)).trim().split("\n");
  // A null target is printed as empty text.
  assert.match(row, /^one\.app +Inbound +10\.0\.0\.2:8080 +10\.0\.0\.9:50110 +TCP$/);
});

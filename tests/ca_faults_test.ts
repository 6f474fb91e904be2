/** Whatever Istio's CA does while certificates are renewed: traffic goes on, and the next valid answer is used. */
import { strict as assert } from "node:assert";
import { eventually } from "../lab/eventually.ts";
import { identityOf, meshText } from "../lab/mesh.ts";
import { Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { tempDir } from "../lab/temp_dir.ts";
import {
  type CaCall,
  type CaResponse,
  issueFor,
  pem,
  ScriptedCa,
  WORKLOAD_ROOT,
} from "../src/authorities/testkit/istio_ca.ts";
import { ROOT_PEM, serverIdentity, VALID_NOW } from "../src/grpc/testkit/server.ts";
import { Code } from "../src/grpc/status.ts";
import { makeCa } from "../src/identity/testkit/certificates.ts";
import { type App, echoApp } from "../testkit/apps.ts";
import { type Credential, credential } from "../testkit/credentials.ts";
import { HbonePeer, type PeerStream } from "../testkit/hbone_peer.ts";
import { freePorts } from "../testkit/ports.ts";

const IP = "127.23.0.5";
const MINUTE = 60_000;
const STRANGER = makeCa("Stranger", VALID_NOW);

/** Certificates that are renewed a second after they were issued. `life`: how long they are valid, ms. */
function renewedSoon(life: number): (call: CaCall) => CaResponse {
  return (call) => {
    const now = Date.now();
    const leaf = issueFor(call, { notBefore: now - life + 2000, notAfter: now + life });
    return [pem(leaf), pem(WORKLOAD_ROOT.certificate)];
  };
}

/** A proxy with certificates of a CA at a fixed port, an app behind it, and a peer with an open tunnel. */
class Scene implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #at: { host: string; port: number };
  #ca: ScriptedCa | null = null;
  readonly app: App;
  readonly peer: Credential = credential(WORKLOAD_ROOT, identityOf("a"));
  proxy!: Proxy;
  held!: PeerStream;

  private constructor() {
    this.#at = { host: IP, port: freePorts(IP, 1)[0]! };
    this.app = this.#stack.use(echoApp(IP));
    this.#stack.defer(() => this.stopCa());
  }

  static async set(): Promise<Scene> {
    const scene = new Scene();
    try {
      await scene.#start(scene.#stack);
      return scene;
    } catch (error) {
      await scene[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(stack: AsyncDisposableStack): Promise<void> {
    const folder = stack.use(tempDir());
    await this.startCa(renewedSoon(10 * MINUTE));
    const mesh = meshText([{ name: "b", ips: [IP] }]);
    this.proxy = stack.use(
      await Proxy.ready(nodeSettings({ name: "b", ip: IP, mesh, folder: folder.path }, {
        FAKE_CA: "false",
        CA_ADDRESS: `https://${IP}:${this.#at.port}`,
        CA_ROOT_CA: folder.write("ca-root.pem", ROOT_PEM),
        ALT_CA_HOSTNAME: "localhost",
        AUTH_TOKEN: folder.write("token", "some.token"),
      })),
    );
    const peer = stack.use(await this.connect());
    this.held = await peer.tunnel(this.app.authority);
    await this.carries(this.held);
  }

  async startCa(respond: (call: CaCall) => CaResponse, identity = serverIdentity()): Promise<void> {
    this.#ca = await ScriptedCa.start(identity, this.#at);
    this.#ca.respond = respond;
  }

  async stopCa(): Promise<void> {
    await this.#ca?.[Symbol.asyncDispose]();
    this.#ca = null;
  }

  get ca(): ScriptedCa {
    return this.#ca!;
  }

  async connect(): Promise<HbonePeer> {
    return await HbonePeer.connect(await this.proxy.place("inbound"), this.peer);
  }

  async carries(tunnel: PeerStream): Promise<void> {
    tunnel.send("hello");
    assert.equal(await tunnel.read(5), "hello");
  }

  /** The open tunnel carries bytes, and a new connection works. */
  async unharmed(): Promise<void> {
    await this.carries(this.held);
    await using peer = await this.connect();
    await this.carries(await peer.tunnel(this.app.authority));
  }

  /** The serial number of the certificate in use, from the config dump; undefined: there is none. */
  async serial(): Promise<string | undefined> {
    const { certificates } = await (await fetch(await this.proxy.url("admin", "/config_dump"))).json();
    return certificates[0]?.certChain[0]?.serialNumber;
  }

  /** Waits for the next certificate. */
  async renewed(): Promise<void> {
    const before = await this.serial();
    await eventually("another certificate", async () => ![before, undefined].includes(await this.serial()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

const FAILED = "certificate renewal failed \\(";

Deno.test("Istio CA: whatever it does, traffic goes on, and the next valid certificate is used", async (t) => {
  await using scene = await Scene.set();
  const { proxy } = scene;
  const good = renewedSoon(10 * MINUTE);
  const answer = (respond: (call: CaCall) => CaResponse) => () => void (scene.ca.respond = respond);
  const misdeeds: Readonly<Record<string, { readonly does: () => Promise<void> | void; readonly log: string }>> = {
    "it refuses": {
      does: answer(() => ({ code: Code.PermissionDenied, details: "out of order" })),
      log: `${FAILED}signing gRPC error .*out of order`,
    },
    "its certificate leads to another root": {
      does: answer((call) => [pem(issueFor(call, { issuer: STRANGER })), pem(WORKLOAD_ROOT.certificate)]),
      log: `${FAILED}.*does not lead to the CA's own roots`,
    },
    "its certificate has expired": {
      does: answer((call) => [
        pem(issueFor(call, { notBefore: Date.now() - MINUTE, notAfter: Date.now() - 1 })),
        pem(WORKLOAD_ROOT.certificate),
      ]),
      log: `${FAILED}.*expired`,
    },
    "it does not answer, and then its process ends": {
      async does() {
        const asked = Promise.withResolvers<void>();
        scene.ca.respond = () => {
          asked.resolve();
          return "nothing";
        };
        await asked.promise;
        await scene.stopCa();
      },
      log: `${FAILED}signing gRPC error`,
    },
    "it comes back under another authority": {
      async does() {
        await scene.stopCa();
        await scene.startCa(good, serverIdentity(STRANGER));
      },
      log: `${FAILED}.*no trusted root has issued the server's certificate`,
    },
  };
  for (const [what, { does, log }] of Object.entries(misdeeds)) {
    await t.step(what, async () => {
      await does();
      await proxy.line(new RegExp(log));
      await scene.unharmed();
      await scene.stopCa();
      await scene.startCa(good);
      await scene.renewed();
      await scene.unharmed();
    });
  }
  await t.step(
    "it is away until the certificate has expired: open connections go on, new ones are made when it is back",
    async () => {
      scene.ca.respond = renewedSoon(3000);
      await scene.renewed();
      await scene.stopCa();
      await eventually("the end of the certificate", async () => await scene.serial() === undefined);
      await assert.rejects(scene.connect());
      await scene.carries(scene.held);
      await scene.startCa(good);
      await scene.renewed();
      await scene.unharmed();
    },
  );
  scene.held.end();
  assert.equal(await scene.held.rest(), "");
  assert.equal((await proxy.stop()).code, 0);
});

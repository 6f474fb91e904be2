/**
 * The dashboard in Chromium, in front of real proxies with traffic: each view in light and dark, wide and at 390 px, by
 * keyboard, in a large mesh, and when the connection is lost. Screenshots stay in `dist/dashboard/`.
 */
import { strict as assert } from "node:assert";
import { connectBySocks } from "../lab/socks.ts";
import { inheritedEnvironment } from "../lab/environment.ts";
import { findCommand, INSTALLED } from "../lab/commands.ts";
import { meshText } from "../lab/mesh.ts";
import { testNeeding } from "../lab/needs.ts";
import { Program } from "../lab/program.ts";
import { Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { tempDir } from "../lab/temp_dir.ts";
import { type App, echoApp } from "../testkit/apps.ts";
import { freePorts } from "../testkit/ports.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const PICTURES = `${ROOT}dist/dashboard`;
const WALKS = [
  "views, light",
  "views, dark",
  "views, narrow",
  "keyboard",
  "flows",
  "simulation",
  "simulation, narrow",
  "theme",
  "large mesh",
  "lost connection",
  "lost flows",
];
const CLIENT = "127.27.0.1", SERVER = "127.27.0.2", STRANGER = "127.27.0.3";

/** Calls the app again and again, until `stop`: as the client, who may, and as the stranger, who may not. */
async function callOnAndOn(ports: readonly number[], app: App, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    for (const port of ports) {
      try {
        using connection = await connectBySocks(port, { ip: SERVER, port: app.port });
        await connection.write(new TextEncoder().encode("hello"));
        await connection.read(new Uint8Array(5));
      } catch {
        // The stranger's calls are refused.
      }
    }
    // The rate of the traffic that the page shows; no step waits for it.
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

/** One walk of `testkit/browser/driver.ts`. */
async function walkThrough(walk: string, about: readonly string[]): Promise<void> {
  const flags = ["--quiet", "--config", "testkit/browser/deno.json", "-A", "--no-prompt", "--no-check"];
  await using driver = new Program(Deno.execPath(), {
    args: ["run", ...flags, "testkit/browser/driver.ts", walk, ...about],
    cwd: ROOT,
    env: inheritedEnvironment(),
  });
  const { code, output } = await driver.ended();
  assert.equal(code, 0, output);
}

testNeeding({ packages: ["chromium"] }, "dashboard: what a reader does with it, in Chromium", async (t) => {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(tempDir());
  const app = stack.use(echoApp(SERVER));
  const mesh = meshText([
    { name: "client", ips: [CLIENT] },
    { name: "server", ips: [SERVER], policies: ["only-client"] },
    { name: "stranger", ips: [STRANGER] },
  ], [{ name: "only-client", from: ["client"] }]);
  const [inbound] = freePorts(SERVER, 1);
  const start = async (name: string, ip: string) => {
    const settings = nodeSettings({ name, ip, mesh, folder: folder.path }, { INBOUND_PORT: `${inbound}` });
    return stack.use(await Proxy.ready(settings));
  };
  // The first one makes the certificate authority of all.
  const server = await start("server", SERVER);
  const callers = [await start("client", CLIENT), await start("stranger", STRANGER)];
  const ports = await Promise.all(callers.map(async (proxy) => (await proxy.place("socks5")).port));
  using held = await connectBySocks(ports[0]!, { ip: SERVER, port: app.port });
  await held.write(new TextEncoder().encode("hello"));
  const stop = new AbortController();
  const calling = callOnAndOn(ports, app, stop.signal);
  try {
    const { hostname, port } = await server.place("admin");
    const chromium = findCommand("chromium", INSTALLED);
    assert.ok(chromium.ok);
    const about = [chromium.name, `${hostname}:${port}`, PICTURES, "test/stranger", `${SERVER}:${app.port}`];
    for (const walk of WALKS) await t.step(walk, () => walkThrough(walk, about));
  } finally {
    stop.abort();
    await calling;
  }
});

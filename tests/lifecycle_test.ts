/** A proxy from its start to its end: readiness, log levels at run time, and every way to stop it. */
import { strict as assert } from "node:assert";
import process from "node:process";
import { type App, echoApp } from "../testkit/apps.ts";
import { credential, sharedCa } from "../testkit/credentials.ts";
import { HbonePeer } from "../testkit/hbone_peer.ts";
import { identityOf, meshText } from "../lab/mesh.ts";
import { testNeeding } from "../lab/needs.ts";
import { eventually } from "../lab/eventually.ts";
import { type Place, Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { connectBySocks } from "../lab/socks.ts";
import { type TempDir, tempDir } from "../lab/temp_dir.ts";
import { readSystemFile } from "../src/os/system_files.ts";

const IP = "127.0.0.3";
/** An address outside of the mesh. */
const OUTSIDE = "127.0.0.5";
/** Longer than any test may take, so what ends has another reason. */
const NEVER = "1h";

function settings(folder: TempDir, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const mesh = meshText([{ name: "b", ips: [IP] }]);
  return nodeSettings({ name: "b", ip: IP, mesh, folder: folder.path }, {
    CONNECTION_TERMINATION_DEADLINE: NEVER,
    ...more,
  });
}

/** The messages among `wanted` that were logged, in order. */
function order(proxy: Proxy, wanted: readonly string[]): string[] {
  const told = proxy.lines.map(({ message, fields }) => {
    const component = fields.get("component");
    return component === undefined ? message : `${message} ${component}`;
  });
  return told.flatMap((text) => wanted.find((each) => text.startsWith(each)) ?? []);
}

async function isRefused({ hostname, port }: Place): Promise<boolean> {
  try {
    (await Deno.connect({ hostname, port })).close();
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return true;
    // It was in the listener's backlog when the listener was closed.
    if (error instanceof Deno.errors.ConnectionReset) return false;
    throw error;
  }
}

async function get(url: string): Promise<string> {
  const answer = await fetch(url);
  return `${answer.status} ${await answer.text()}`;
}

/** A proxy with a connection through each of its sides, both open. */
class OpenConnections implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;

  private constructor(
    stack: AsyncDisposableStack,
    readonly proxy: Proxy,
    /** Behind the inbound port. */
    readonly app: App,
    readonly peer: HbonePeer,
    /** Through the inbound port. */
    readonly tunnel: Awaited<ReturnType<HbonePeer["tunnel"]>>,
    /** By SOCKS5, plain. */
    readonly outbound: Deno.TcpConn,
  ) {
    this.#stack = stack;
  }

  static async open(more: Readonly<Record<string, string>> = {}): Promise<OpenConnections> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(tempDir());
    const app = stack.use(echoApp(IP));
    const proxy = stack.use(await Proxy.ready(settings(folder, more)));
    const identity = credential(sharedCa(folder.path), identityOf("a"));
    const peer = stack.use(await HbonePeer.connect(await proxy.place("inbound"), identity));
    const tunnel = await peer.tunnel(app.authority);
    const outside = stack.use(echoApp(OUTSIDE));
    const outbound = stack.adopt(
      await connectBySocks((await proxy.place("socks5")).port, { ip: OUTSIDE, port: outside.port }),
      (connection) => connection.close(),
    );
    const open = new OpenConnections(stack.move(), proxy, app, peer, tunnel, outbound);
    await open.talk();
    return open;
  }

  /** Sends bytes to the app and back, through both sides. */
  async talk(): Promise<void> {
    this.tunnel.send("ping");
    assert.equal(await this.tunnel.read(4), "ping");
    await this.outbound.write(new TextEncoder().encode("pong"));
    const buffer = new Uint8Array(4);
    assert.equal(await this.outbound.read(buffer), 4);
    assert.equal(new TextDecoder().decode(buffer), "pong");
  }

  /** Ends both connections at the app: half-closes, and reads the rest. */
  async finish(): Promise<void> {
    this.tunnel.end();
    await this.outbound.closeWrite();
    assert.equal(await this.tunnel.rest(), "");
    assert.equal(await this.outbound.read(new Uint8Array(1)), null);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** Each thread writes its lines in this order (`docs/spec/config-admin.md` 6.7, 7.2, 7.3). */
const MAIN_START = [
  "version: ",
  "set file descriptor limits from ",
  "running with config: ",
  "listener established readiness",
  "local config initialized",
  "Task 'state manager' complete",
  "listener established admin",
  "TLS library in use",
  "proxy mode enabled",
  "no dns proxy created",
  "listener established stats",
  "Task 'proxy' complete",
  "received signal SIGTERM, starting shutdown",
];
const WORKER_LIFE = [
  "listener established inbound",
  "listener established inbound plaintext",
  "listener established outbound",
  "listener established socks5",
  "shutdown complete inbound",
  "shutdown complete inbound passthrough",
  "shutdown complete outbound",
  "shutdown complete socks5",
];

Deno.test("lifecycle: an idle proxy ends at once on SIGTERM, config C46; its lines have the order of 6.7", async () => {
  using folder = tempDir();
  await using proxy = await Proxy.ready(settings(folder));
  const { code, output } = await proxy.stop();
  assert.equal(code, 0, output);
  assert.deepEqual(order(proxy, MAIN_START), MAIN_START);
  assert.equal(output.match(/running with config: /g)?.length, 1);
  const exact = WORKER_LIFE.toSorted((a, b) => b.length - a.length); // the longest name that fits
  assert.deepEqual(order(proxy, exact), WORKER_LIFE);
  const drained = order(proxy, ["listener drained readiness", "listener drained admin", "listener drained stats"]);
  assert.equal(drained.length, 3);
  const complaints = proxy.lines.filter(({ level }) => level === "warn" || level === "error");
  assert.deepEqual(complaints.map(({ message }) => message?.split(":")[0]), ["FAKE_CA=true"]);
});

Deno.test("lifecycle: a stop waits for the end of connections, config C47, dataplane SH-01", async () => {
  await using open = await OpenConnections.open();
  const { proxy } = open;
  proxy.signal("SIGTERM");
  await proxy.line(/listener drained.*component="readiness"/);
  await proxy.line(/shutdown complete.*component="inbound passthrough"/);
  for (const component of ["inbound", "inbound plaintext", "outbound", "socks5", "admin", "stats", "readiness"]) {
    const place = await proxy.place(component);
    // Descriptors are closed at the end of the turn that wrote the line.
    await eventually(`the end of listening on ${component}`, () => isRefused(place));
  }
  await open.talk();
  await open.finish();
  const { code, output } = await proxy.ended();
  assert.equal(code, 0, output);
  assert.deepEqual(open.peer.goAways.map((each) => each), open.peer.goAways.map(() => 0));
  assert.ok(open.peer.goAways.length > 0, "the peer was told to go elsewhere");
  assert.deepEqual(proxy.access.map(({ level, message }) => `${level} ${message}`), [
    "info connection complete",
    "info connection complete",
  ]);
  assert.doesNotMatch(output, /drain duration expired/);
  assert.equal(output.match(/received signal SIGTERM/g)?.length, 1);
});

Deno.test("lifecycle: the deadline closes connections that do not end, config C48, dataplane SH-02", async () => {
  await using open = await OpenConnections.open({ CONNECTION_TERMINATION_DEADLINE: "100ms" });
  const { code, output } = await open.proxy.stop();
  assert.equal(code, 0, output);
  const expired = open.proxy.lines.filter(({ message }) => message.startsWith("drain duration expired with pending"));
  assert.deepEqual(expired.map(({ level, fields }) => `${level} ${fields.get("component")}`).sort(), [
    "warn inbound",
    "warn socks5",
  ]);
  assert.deepEqual(
    open.proxy.access.map(({ level, fields }) => `${level} ${fields.get("direction")}: ${fields.get("error")}`).sort(),
    [
      "error inbound: connection closed due to connection drain",
      "error outbound: connection closed due to connection drain",
    ],
  );
  await open.peer.closed;
});

/** Asserts that the proxy has ended in order, and that both connections were cut. */
async function assertCut({ proxy, peer }: OpenConnections): Promise<void> {
  const { code, output } = await proxy.ended();
  assert.equal(code, 0, output);
  assert.deepEqual(
    proxy.access.map(({ level, fields }) => `${level} ${fields.get("error")}`),
    Array(2).fill("error connection closed due to connection drain"),
  );
  await peer.closed;
}

Deno.test("lifecycle: a second SIGTERM cuts open connections, config 7.3", async () => {
  await using open = await OpenConnections.open();
  open.proxy.signal("SIGTERM");
  await open.proxy.line(/received signal SIGTERM, starting shutdown/);
  await open.talk();
  open.proxy.signal("SIGTERM");
  await open.proxy.line(/received signal SIGTERM again, cutting open connections/);
  await assertCut(open);
});

Deno.test("lifecycle: POST /quitquitquit?force stops it without waiting for open connections, config 7.3", async () => {
  await using open = await OpenConnections.open();
  const answer = await fetch(await open.proxy.url("admin", "/quitquitquit?force"), { method: "POST" });
  assert.deepEqual([answer.status, await answer.text()], [200, "shutdown now\n"]);
  await assertCut(open);
});

Deno.test("lifecycle: SIGINT drains, a second one ends the process at once, config 7.3", async () => {
  await using open = await OpenConnections.open();
  open.proxy.signal("SIGINT");
  await open.proxy.line(/received signal SIGINT, starting shutdown/);
  await open.talk();
  const { code, output } = await open.proxy.stop("SIGINT");
  assert.equal(code, 0, output);
  assert.match(output, /Double Ctrl\+C, exit immediately/);
});

Deno.test("lifecycle: POST /quitquitquit stops it, other methods do not, config C31, dataplane SH-05", async () => {
  await using open = await OpenConnections.open();
  const quit = await open.proxy.url("admin", "/quitquitquit");
  assert.equal(await get(quit), "405 ");
  const answer = await fetch(quit, { method: "POST" });
  assert.deepEqual([answer.status, await answer.text()], [200, "shutdown now\n"]);
  assert.equal((await open.proxy.line(/received explicit shutdown signal/)).scope, "signal::imp");
  await open.talk();
  await open.finish();
  const { code, output } = await open.proxy.ended();
  assert.equal(code, 0, output);
});

Deno.test("lifecycle: readiness lists pending tasks until all are complete, config C44 and 5.3", async () => {
  using folder = tempDir();
  await using proxy = new Proxy(settings(folder));
  const url = await proxy.url("readiness", "/healthz/ready");
  const answers: string[] = [];
  while (answers.at(-1) !== "200 ready\n") answers.push(await get(url));
  assert.deepEqual([...new Set(answers.slice(0, -1))].filter((a) => a !== "500 not ready, pending: proxy\n"), []);
  assert.equal((await fetch(url, { method: "HEAD" })).status, 405);
  assert.equal((await proxy.stop()).code, 0);
});

/** A proxy whose worker never answers. */
function stuckStart(folder: TempDir): Proxy {
  return new Proxy({ ...settings(folder), DEAF_TO: "start" }, { program: "tests/fixtures/failing_main.ts" });
}

Deno.test("lifecycle: a start that hangs is not ready, and says what it waits for", async () => {
  using folder = tempDir();
  await using proxy = stuckStart(folder);
  const url = await proxy.url("readiness", "/healthz/ready");
  for (let i = 0; i < 3; i++) assert.equal(await get(url), "500 not ready, pending: proxy\n");
  assert.equal((await proxy.stop()).code, 0);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`lifecycle: ${signal} ends a start that hangs, observed O1`, async () => {
    using folder = tempDir();
    await using proxy = stuckStart(folder);
    await proxy.line(/listener established.*component="admin"/);
    const { code, output } = await proxy.stop(signal);
    assert.equal(code, 0, output);
    assert.match(output, new RegExp(`received signal ${signal}, starting shutdown`));
  });
}

/** Log lines of the phases of the start. */
const PHASES = [
  /version: /,
  /component="readiness"/,
  /component="admin"/,
  /TLS library in use/,
  /proxy mode enabled/,
  /component="inbound"/,
  /component="stats"/,
  /marking server ready/,
];
for (const phase of PHASES) {
  Deno.test(`lifecycle: SIGTERM ends it right after ${phase}, observed O1`, async () => {
    using folder = tempDir();
    await using proxy = new Proxy(settings(folder));
    await proxy.program.line(phase);
    const { code, output } = await proxy.stop();
    assert.equal(code, 0, output);
    assert.match(output, /received signal SIGTERM, starting shutdown/);
  });
}

testNeeding(
  { packages: ["unshare"], root: true },
  "lifecycle: SIGTERM ends it as the first process of a container, too",
  async () => {
    using folder = tempDir();
    const before = ["unshare", "--pid", "--fork", "--kill-child"];
    await using proxy = await Proxy.ready(settings(folder), { before });
    const children = readSystemFile(`/proc/${proxy.pid}/task/${proxy.pid}/children`).trim();
    process.kill(Number(children), "SIGTERM");
    const { code, output } = await proxy.ended();
    assert.equal(code, 0, output);
  },
);

Deno.test("lifecycle: /logging changes what the worker logs, config 4.6", async () => {
  await using open = await OpenConnections.open();
  const { proxy, peer, app } = open;
  const level = async (query: string) => {
    const answer = await fetch(await proxy.url("admin", `/logging?${query}`), { method: "POST" });
    assert.equal(answer.status, 200);
    // The worker gets the scrape's request after the new level.
    await get(await proxy.url("stats", "/metrics"));
    return await answer.text();
  };
  /** Lines of the access log from now on, by a short connection. */
  const messages = async () => {
    const before = proxy.access.length;
    const tunnel = await peer.tunnel(app.authority);
    tunnel.end();
    await tunnel.rest();
    const told = () => proxy.access.slice(before).map(({ message }) => message);
    await eventually("the access line", () => told().includes("connection complete"));
    return told();
  };
  assert.deepEqual(await messages(), ["connection complete"]);
  assert.equal(
    await level("level=access=debug,info"),
    "current log level is hickory_server::server=off,access=debug,info\n",
  );
  assert.deepEqual(await messages(), ["connection opened", "connection complete"]);
  await level("level=info&reset");
  assert.deepEqual(await messages(), ["connection complete"]);
});

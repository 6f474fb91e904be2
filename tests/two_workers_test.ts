/** A proxy with two data-plane workers, which appears as one from outside. */
import { strict as assert } from "node:assert";
import { type Sample, scrape, sumOf } from "../lab/scrape.ts";
import { echoApp } from "../testkit/apps.ts";
import { type Credential, credential, sharedCa } from "../testkit/credentials.ts";
import { HbonePeer, type PeerStream } from "../testkit/hbone_peer.ts";
import { identityOf, meshText } from "../lab/mesh.ts";
import { eventually } from "../lab/eventually.ts";
import { freePorts } from "../testkit/ports.ts";
import { Proxy, type ProxyOptions } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { type TempDir, tempDir } from "../lab/temp_dir.ts";
import { readSystemFile, readSystemFolder, readSystemLink } from "../src/os/system_files.ts";

/** Addresses of loopback that no other test uses: here ports are chosen before they are bound. */
const IP = "127.22.0.3", OTHER_IP = "127.22.0.4";
/** Enough for both workers: one worker gets all of them once in 2^31 runs. */
const PEERS = 32;

function settings(folder: TempDir, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [inbound, plaintext, outbound] = freePorts(IP, 3);
  return nodeSettings({ name: "b", ip: IP, mesh: meshText([{ name: "b", ips: [IP] }]), folder: folder.path }, {
    ZTUNNEL_WORKER_THREADS: "2",
    UNSTABLE_ENABLE_SOCKS5: "false",
    INBOUND_PORT: `${inbound}`,
    INBOUND_PLAINTEXT_PORT: `${plaintext}`,
    OUTBOUND_PORT: `${outbound}`,
    CONNECTION_TERMINATION_DEADLINE: "1h",
    ...more,
  });
}

/** A proxy, an app behind it, and many peers with a tunnel each. */
class Crowd implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;

  private constructor(
    stack: AsyncDisposableStack,
    readonly proxy: Proxy,
    readonly authority: string,
    readonly credential: Credential,
    readonly tunnels: readonly PeerStream[],
  ) {
    this.#stack = stack;
  }

  static async gather(): Promise<Crowd> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(tempDir());
    const { authority } = stack.use(echoApp(IP));
    const proxy = stack.use(await Proxy.ready(settings(folder)));
    const one = credential(sharedCa(folder.path), identityOf("a"));
    const inbound = await proxy.place("inbound");
    const tunnels: PeerStream[] = [];
    for (let i = 0; i < PEERS; i++) {
      const peer = stack.use(await HbonePeer.connect(inbound, one));
      tunnels.push(await peer.tunnel(authority));
    }
    const crowd = new Crowd(stack.move(), proxy, authority, one, tunnels);
    await crowd.talk();
    return crowd;
  }

  /** Sends five bytes through every tunnel and back. */
  async talk(): Promise<void> {
    for (const tunnel of this.tunnels) tunnel.send("hello");
    for (const tunnel of this.tunnels) assert.equal(await tunnel.read(5), "hello");
  }

  async finish(): Promise<void> {
    for (const tunnel of this.tunnels) tunnel.end();
    for (const tunnel of this.tunnels) assert.equal(await tunnel.rest(), "");
  }

  async metrics(): Promise<Sample[]> {
    return await scrape(await this.proxy.url("stats", "/metrics"));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** The number of event loops (epoll instances) of a process that watch a connection to `port`. */
function loopsServing(pid: number, port: number): number {
  const sockets = establishedAt(pid, port);
  const links = readSystemFolder(`/proc/${pid}/fd`).map((name) => [name, linkOf(pid, name)] as const);
  const connections = new Set(links.filter(([, link]) => sockets.has(link)).map(([fd]) => fd));
  const loops = links.filter(([, link]) => link === "anon_inode:[eventpoll]").map(([fd]) => watchedBy(pid, fd));
  return loops.filter((watched) => watched.some((fd) => connections.has(fd))).length;
}

/** Links, as below `/proc/PID/fd`, of the sockets of connections to `port`. */
function establishedAt(pid: number, port: number): Set<string> {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = readSystemFile(`/proc/${pid}/net/tcp`).split("\n").map((row) => row.trim().split(/\s+/));
  const ours = rows.filter(([, address = "", , state]) => address.endsWith(local) && state === ESTABLISHED);
  return new Set(ours.map((row) => `socket:[${row[9]}]`));
}
const ESTABLISHED = "01";

function linkOf(pid: number, fd: string): string {
  try {
    return readSystemLink(`/proc/${pid}/fd/${fd}`);
  } catch {
    return "closed meanwhile";
  }
}

/** Descriptors in an epoll instance. */
function watchedBy(pid: number, fd: string): string[] {
  return [...readSystemFile(`/proc/${pid}/fdinfo/${fd}`).matchAll(/^tfd:\s+(\d+)/gm)].map(([, id = ""]) => id);
}

const INBOUND = { reporter: "destination" };

Deno.test("two workers: both accept connections, and their metrics are summed", async () => {
  await using crowd = await Crowd.gather();
  assert.equal(loopsServing(crowd.proxy.pid, (await crowd.proxy.place("inbound")).port), 2);
  const open = await crowd.metrics();
  assert.equal(sumOf(open, "istio_tcp_connections_opened_total", INBOUND), PEERS);
  assert.equal(sumOf(open, "istio_tcp_sockets_open", INBOUND), PEERS);
  await crowd.finish();
  const closed = await eventually("the end of all connections", async () => {
    const samples = await crowd.metrics();
    return sumOf(samples, "istio_tcp_connections_closed_total", INBOUND) === PEERS && samples;
  });
  assert.equal(sumOf(closed, "istio_tcp_received_bytes_total", INBOUND), PEERS * 5);
  const series = closed.filter(({ name }) => name === "istio_tcp_connections_closed_total");
  assert.equal(series.length, 1, "one series, not one per worker");
  assert.equal(crowd.proxy.access.length, PEERS);
  const text = await (await fetch(await crowd.proxy.url("stats", "/metrics"))).text();
  const types = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  assert.deepEqual(types, [...new Set(types)], "each family is told once");
  assert.equal((await crowd.proxy.stop()).code, 0);
});

Deno.test("two workers: a stop drains both", async () => {
  await using crowd = await Crowd.gather();
  const { proxy } = crowd;
  proxy.signal("SIGTERM");
  await proxy.program.matches(/shutdown complete.*component="outbound"/, 2);
  await crowd.talk();
  await crowd.finish();
  const { code, output } = await proxy.ended();
  assert.equal(code, 0, output);
  for (const component of ["inbound", "inbound passthrough", "outbound"]) {
    const told = proxy.lines.filter(({ message, fields }) =>
      message === "shutdown complete" && fields.get("component") === component
    );
    assert.equal(told.length, 2, component);
  }
  const complaints = proxy.lines.filter(({ level }) => level === "warn" || level === "error");
  assert.deepEqual(complaints.map(({ message }) => message?.split(":")[0]), ["FAKE_CA=true"]);
});

Deno.test("two workers: a change of log level reaches both", async () => {
  await using crowd = await Crowd.gather();
  const answer = await fetch(await crowd.proxy.url("admin", "/logging?level=debug"), { method: "POST" });
  assert.equal(answer.status, 200);
  await answer.body?.cancel();
  await crowd.metrics(); // both workers get the level before this request
  const inbound = await crowd.proxy.place("inbound");
  for (let i = 0; i < PEERS; i++) {
    await using peer = await HbonePeer.connect(inbound, crowd.credential);
    await peer.tunnel(crowd.authority);
  }
  await crowd.proxy.program.matches(/\tconnection opened\t/, PEERS);
});

async function refuses(more: Readonly<Record<string, string>>, says: string, options: ProxyOptions = {}) {
  using folder = tempDir();
  await using proxy = new Proxy(settings(folder, more), options);
  const { code, output } = await proxy.ended();
  assert.equal(code, 1, output);
  assert.ok(output.includes(says), output.slice(-1000));
}

Deno.test("two workers: port 0 is refused, as each worker would get another port", async () => {
  await refuses(
    { OUTBOUND_PORT: "0" },
    "Error: invalid configuration: OUTBOUND_PORT=0 must have ZTUNNEL_WORKER_THREADS=1 (got 2): " +
      "each worker would listen on a port of its own",
  );
});

Deno.test("two workers: another proxy with two workers cannot use the same ports, dataplane SK-03", async () => {
  using folder = tempDir();
  await using first = await Proxy.ready(settings(folder));
  const { port } = await first.place("inbound");
  await refuses(
    { INBOUND_PORT: `${port}` },
    `Error: failed to bind to address ${IP}:${port}: Address already in use (os error 98)`,
  );
  assert.equal((await first.stop()).code, 0);
});

/** Messages that main sends to a worker. */
for (const diesAt of ["load", "start", "listen", "snapshot", "drain"]) {
  Deno.test(`two workers: a worker that fails at ${diesAt} ends the process with its error`, async () => {
    using folder = tempDir();
    const env = { ...settings(folder, { BIND_ADDRESS: OTHER_IP }), DIES_AT: diesAt };
    await using proxy = new Proxy(env, { program: "tests/fixtures/failing_main.ts" });
    if (diesAt === "snapshot" || diesAt === "drain") {
      await proxy.line(/marking server ready/);
      if (diesAt === "drain") proxy.signal("SIGTERM");
      else await fetch(await proxy.url("stats", "/metrics")).then((answer) => answer.text(), () => "cut off");
    }
    const { code, output } = await proxy.ended();
    assert.equal(code, 1, output);
    assert.match(output, new RegExp(`^Error: a data-plane worker died: .*a bug of this test, at ${diesAt}$`, "m"));
  });
}

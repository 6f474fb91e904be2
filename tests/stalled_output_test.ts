/** A proxy whose standard output is not read: a stalled container runtime must not stop the node's traffic. */
import { strict as assert } from "node:assert";
import { scrape, sumOf } from "../lab/scrape.ts";
import { type App, echoApp } from "../testkit/apps.ts";
import { credential, sharedCa } from "../testkit/credentials.ts";
import { HbonePeer } from "../testkit/hbone_peer.ts";
import { identityOf, meshText } from "../lab/mesh.ts";
import { eventually } from "../lab/eventually.ts";
import { freePorts } from "../testkit/ports.ts";
import { Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { type TempDir, tempDir } from "../lab/temp_dir.ts";
import { readSystemFile } from "../src/os/system_files.ts";

/** An address of loopback that no other test uses: ports are chosen before they are bound. */
const IP = "127.22.1.3";
const PEERS = 8;
/** Calls of each peer. Their log lines are several times what the pipe and the reader hold. */
const CALLS = 200;
/** A complete line of the access log. */
const WHOLE = /^\S+Z\tinfo\taccess\tconnection complete\tsrc\.addr=.* duration="\d+ms"$/;

/** With two workers: three isolates write to one pipe. */
function settings(folder: TempDir): Record<string, string> {
  const [inbound, plaintext, outbound] = freePorts(IP, 3);
  const mesh = meshText([{ name: "b", ips: [IP] }]);
  return nodeSettings({ name: "b", ip: IP, mesh, folder: folder.path }, {
    ZTUNNEL_WORKER_THREADS: "2",
    UNSTABLE_ENABLE_SOCKS5: "false",
    INBOUND_PORT: `${inbound}`,
    INBOUND_PLAINTEXT_PORT: `${plaintext}`,
    OUTBOUND_PORT: `${outbound}`,
  });
}

/** Calls the app repeatedly, each time through a new tunnel; fails when a call fails. */
async function call(proxy: Proxy, app: App, folder: TempDir): Promise<void> {
  const identity = credential(sharedCa(folder.path), identityOf("a"));
  await using peer = await HbonePeer.connect(await proxy.place("inbound"), identity);
  for (let i = 0; i < CALLS; i++) {
    const tunnel = await peer.tunnel(app.authority);
    tunnel.send("hello");
    assert.equal(await tunnel.read(5), "hello");
    tunnel.end();
    assert.equal(await tunnel.rest(), "");
  }
}

/** Resolves when the process has ended; its output may not be read yet. */
function hasEnded(pid: number): boolean {
  try {
    return /\) Z /.test(readSystemFile(`/proc/${pid}/stat`));
  } catch {
    return true;
  }
}

Deno.test("stalled output: without a reader no call and no log line is lost, SIGTERM ends the proxy, observed O51", async () => {
  using folder = tempDir();
  await using app = echoApp(IP);
  await using proxy = await Proxy.ready(settings(folder));
  const ready = await proxy.url("readiness", "/healthz/ready"), stats = await proxy.url("stats", "/metrics");
  await proxy.place("inbound");
  const crowd = () => Promise.all(Array.from({ length: PEERS }, () => call(proxy, app, folder)));

  proxy.program.stopReading();
  await crowd();
  const answer = await fetch(ready);
  assert.equal(`${answer.status} ${await answer.text()}`, "200 ready\n");
  await eventually("the end of all calls", async () => {
    const samples = await scrape(stats);
    return sumOf(samples, "istio_tcp_connections_closed_total", {}) === PEERS * CALLS;
  });
  const read = proxy.access.length;
  assert.ok(read < PEERS * CALLS / 2, `${read} lines were read`);

  proxy.program.resumeReading();
  await eventually("all lines", () => proxy.access.length >= PEERS * CALLS);
  const lines = proxy.program.printed.filter((line) => line.includes("connection complete"));
  assert.deepEqual(lines.filter((line) => !WHOLE.test(line)), []);
  assert.equal(lines.length, PEERS * CALLS);
  assert.equal(sumOf(await scrape(stats), "istio_log_lines_dropped_total", {}), 0);

  proxy.program.stopReading();
  await crowd();
  proxy.signal("SIGTERM");
  await eventually("the end of the process", () => hasEnded(proxy.pid));
  proxy.program.resumeReading();
  assert.equal((await proxy.ended()).code, 0);
});

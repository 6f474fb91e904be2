/** SIGUSR1 makes this runtime open its debugger, without authentication. A proxy must always ignore it. */
import { strict as assert } from "node:assert";
import { type App, echoApp } from "../testkit/apps.ts";
import { credential, sharedCa } from "../testkit/credentials.ts";
import { HbonePeer } from "../testkit/hbone_peer.ts";
import { identityOf, meshText } from "../lab/mesh.ts";
import { Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { type TempDir, tempDir } from "../lab/temp_dir.ts";
import { readSystemFile, readSystemFolder, readSystemLink } from "../src/os/system_files.ts";

const IP = "127.0.0.3";
/** The debugger's port, as `/proc/PID/net/tcp` writes it. */
const DEBUGGER_PORT = (9229).toString(16).toUpperCase();
/** The runtime takes the signal half a second after its start; within this time a busy machine has done it too. */
const LATER_MS = 2000;

function settings(folder: TempDir): Record<string, string> {
  const mesh = meshText([{ name: "b", ips: [IP] }]);
  return nodeSettings({ name: "b", ip: IP, mesh, folder: folder.path }, { CONNECTION_TERMINATION_DEADLINE: "1h" });
}

/** Whether the process listens on the debugger's port. */
function debuggerListens(pid: number): boolean {
  const rows = readSystemFile(`/proc/${pid}/net/tcp`).split("\n").map((row) => row.trim().split(/\s+/));
  const inodes = rows.filter(([, local = "", , state]) => local.endsWith(`:${DEBUGGER_PORT}`) && state === "0A")
    .map((row) => `socket:[${row[9]}]`);
  const folder = `/proc/${pid}/fd`;
  return readSystemFolder(folder).some((name) => inodes.includes(linkOf(`${folder}/${name}`)));
}

function linkOf(path: string): string {
  try {
    return readSystemLink(path);
  } catch {
    return "closed meanwhile";
  }
}

/** Whether the kernel discards the signal. */
function isIgnored(pid: number): boolean {
  const mask = /^SigIgn:\s+(\w+)/m.exec(readSystemFile(`/proc/${pid}/status`))?.[1] ?? "";
  return (BigInt(`0x${mask}`) & (1n << 9n)) !== 0n;
}

/** The process is alive, and its debugger is closed. */
function checkUnharmed(proxy: Proxy): void {
  assert.ok(isIgnored(proxy.pid));
  assert.equal(debuggerListens(proxy.pid), false);
  assert.doesNotMatch(proxy.program.printed.join("\n"), /Debugger listening/);
}

Deno.test("SIGUSR1 opens no debugger, from the first log line of the start until long after it", async () => {
  using folder = tempDir();
  await using proxy = new Proxy(settings(folder));
  await proxy.line(/version: /);
  // The runtime of another process does this, and there is no event for it.
  for (const end = performance.now() + LATER_MS; performance.now() < end;) {
    proxy.signal("SIGUSR1");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await proxy.line(/marking server ready/);
  checkUnharmed(proxy);
  assert.equal((await proxy.stop()).code, 0);
});

/** A connection that keeps a drain from ending. */
async function openConnection(proxy: Proxy, app: App, folder: TempDir): Promise<HbonePeer> {
  const peer = await HbonePeer.connect(
    await proxy.place("inbound"),
    credential(sharedCa(folder.path), identityOf("a")),
  );
  await peer.tunnel(app.authority);
  return peer;
}

Deno.test("SIGUSR1 opens no debugger while the proxy drains", async () => {
  using folder = tempDir();
  await using app = echoApp(IP);
  await using proxy = await Proxy.ready(settings(folder));
  await using peer = await openConnection(proxy, app, folder);
  proxy.signal("SIGTERM");
  await proxy.line(/listener drained.*component="readiness"/);
  for (const end = performance.now() + LATER_MS; performance.now() < end;) {
    proxy.signal("SIGUSR1");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  checkUnharmed(proxy);
  await peer[Symbol.asyncDispose]();
  const { code, output } = await proxy.ended();
  assert.equal(code, 0);
  assert.doesNotMatch(output, /Debugger listening/);
});

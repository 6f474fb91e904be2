/** Private keys and tokens stay in the process: not in the log at its lowest level, not in a dump, not in an error. */
import { strict as assert } from "node:assert";
import { issueFor, pem, ScriptedCa, WORKLOAD_ROOT } from "../src/authorities/testkit/istio_ca.ts";
import { ROOT_PEM } from "../src/grpc/testkit/server.ts";
import { encodePem } from "../src/identity/pem.ts";
import { newKey } from "../src/identity/testkit/certificates.ts";
import { echoApp } from "../testkit/apps.ts";
import { credential } from "../testkit/credentials.ts";
import { handshake, HbonePeer } from "../testkit/hbone_peer.ts";
import { identityOf, meshText } from "../lab/mesh.ts";
import { testNeeding } from "../lab/needs.ts";
import { eventually, inTime } from "../lab/eventually.ts";
import { Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { tempDir } from "../lab/temp_dir.ts";

const IP = "127.0.0.3";
const TOKEN = "sesame-token-of-the-node", HEADER = "sesame-header";

/** The first bytes of every P-256 key in PKCS#8. */
const PKCS8 = Uint8Array.fromHex("308187020100301306");
/** The forms in which a key may be written. */
const TELLTALES: readonly RegExp[] = [
  /-----BEGIN (EC |RSA )?PRIVATE KEY/,
  new RegExp(PKCS8.subarray(0, 8).toHex(), "i"),
  new RegExp(PKCS8.subarray(0, 9).toBase64()),
  new RegExp([...PKCS8.subarray(0, 8)].join(",\\s*")),
  // Base64 of PEM, as the dump has certificates.
  new RegExp(btoa("-----BEGIN PRIVATE KEY").slice(0, -4)),
];

function leaks(text: string): string[] {
  const found = [...TELLTALES, new RegExp(TOKEN), new RegExp(HEADER)].filter((telltale) => telltale.test(text));
  return found.map(String);
}

Deno.test("secrets, identity S30: the search finds a key in each form", () => {
  const key = new Uint8Array(newKey().export({ format: "der", type: "pkcs8" }));
  const text = encodePem("PRIVATE KEY", key);
  for (const shown of [text, key.toHex(), key.toBase64(), Deno.inspect(key), JSON.stringify([...key]), btoa(text)]) {
    assert.equal(leaks(shown).length > 0, true, shown.slice(0, 60));
  }
  assert.deepEqual(leaks(ROOT_PEM + btoa(ROOT_PEM)), []);
});

Deno.test("secrets, identity S30 S31: no output contains keys or tokens", async () => {
  using folder = tempDir();
  await using app = echoApp(IP);
  await using ca = await ScriptedCa.start();
  const settings = nodeSettings(
    { name: "b", ip: IP, mesh: meshText([{ name: "b", ips: [IP] }]), folder: folder.path },
    {
      FAKE_CA: "false",
      CA_ADDRESS: `https://localhost:${ca.port}`,
      CA_ROOT_CA: folder.write("root.pem", ROOT_PEM),
      CA_HEADER_X_TOKEN: HEADER,
      XDS_HEADER_AUTHORIZATION: HEADER,
      AUTH_TOKEN: TOKEN,
      RUST_LOG: "trace",
    },
  );
  const key = encodePem("PRIVATE KEY", new Uint8Array(newKey().export({ format: "der", type: "pkcs8" })));
  // Two responses contain what no response should contain.
  const issued = Promise.withResolvers<void>();
  ca.respond = (call) => {
    if (ca.calls.length === 1) return [key, pem(WORKLOAD_ROOT.certificate)];
    if (ca.calls.length === 2) return [pem(issueFor(call)), key];
    issued.resolve();
    return [pem(issueFor(call)), pem(WORKLOAD_ROOT.certificate)];
  };
  await using proxy = await Proxy.ready(settings);
  const inbound = await proxy.place("inbound");
  const peer = { credential: credential(WORKLOAD_ROOT, identityOf("a")) };
  await handshake(inbound, peer);
  await proxy.line(/certificate fetch failed .*PEM block PRIVATE KEY/);
  await inTime("the retries", issued.promise);
  const dumped = async () => await (await fetch(await proxy.url("admin", "/config_dump"))).text();
  // Earlier connections are refused with the error of the last attempt.
  await eventually("a certificate", async () => /"state": ?"Available"/.test(await dumped()));
  await using good = await HbonePeer.connect(inbound, peer.credential);
  const tunnel = await good.tunnel(app.authority);
  tunnel.send("hello");
  assert.equal(await tunnel.read(5), "hello");
  assert.equal(ca.calls.at(-1)!.headers.authorization, `Bearer ${TOKEN}`);
  assert.equal(ca.calls.at(-1)!.headers["x_token"], HEADER);

  const dump = await dumped();
  const metrics = await (await fetch(await proxy.url("stats", "/metrics"))).text();
  assert.match(dump, /"certificates": ?\[/);
  assert.match(dump, /"identity": ?"spiffe:\/\/cluster\.local\/ns\/test\/sa\/b"/);
  const log = proxy.program.printed.join("\n");
  assert.match(log, /connection opened|HBONE connection established/);
  assert.deepEqual([leaks(log), leaks(dump), leaks(metrics)], [[], [], []]);
});

// Root may inspect every process by CAP_SYS_PTRACE, so both sides run without it here.
const WITHOUT_PTRACE = ["setpriv", "--bounding-set=-sys_ptrace"];

testNeeding(
  { root: true, packages: ["setpriv"] },
  "secrets: a process of the same user cannot inspect the proxy, unless ZTUNNEL_DEBUGGABLE is set",
  async () => {
    using folder = tempDir();
    const settings = nodeSettings({
      name: "b",
      ip: IP,
      mesh: meshText([{ name: "b", ips: [IP] }]),
      folder: folder.path,
    });
    for (const debuggable of [false, true]) {
      const wanted = debuggable ? { ZTUNNEL_DEBUGGABLE: "true" } : {};
      await using proxy = await Proxy.ready({ ...settings, ...wanted }, { before: WITHOUT_PTRACE });
      // A process that may follow this link may read its memory too (ptrace(2), PTRACE_MODE_READ).
      const [command = "", ...args] = [...WITHOUT_PTRACE, "readlink", `/proc/${proxy.pid}/exe`];
      const { success } = await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output();
      assert.equal(success, debuggable);
    }
  },
);

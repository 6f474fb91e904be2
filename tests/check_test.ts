/** `ztunnel check` with the real program: nothing is wrong, and then each problem once. */
import { strict as assert } from "node:assert";
import { encodePem } from "../src/identity/pem.ts";
import { makeCa } from "../src/identity/testkit/certificates.ts";
import { ROOT_PEM, VALID_NOW } from "../src/grpc/testkit/server.ts";
import { ControlPlane } from "../testkit/control_plane.ts";
import { type Needs, testNeeding } from "../lab/needs.ts";
import { meshText } from "../lab/mesh.ts";
import { Proxy, type ProxyOptions } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { type TempDir, tempDir } from "../lab/temp_dir.ts";

const IP = "127.0.0.4";
const SECRET = "s3cret-t0ken";

interface Finding {
  readonly subject: string;
  readonly state: "ok" | "note" | "problem";
  readonly text: string;
  readonly cure?: string;
}

/** The settings of a node whose control plane and CA is `plane`, and the files that they name. */
function settingsFor(plane: ControlPlane, folder: TempDir): Record<string, string> {
  const { LOCAL_XDS: _, ...rest } = nodeSettings({ name: "b", ip: IP, mesh: "", folder: folder.path });
  const roots = folder.write("root.pem", ROOT_PEM);
  return {
    ...rest,
    FAKE_CA: "false",
    XDS_ADDRESS: plane.url,
    XDS_ROOT_CA: roots,
    CA_ADDRESS: plane.url,
    CA_ROOT_CA: roots,
    AUTH_TOKEN: folder.write("token", SECRET),
    "XDS_HEADER_authorization": SECRET,
  };
}

interface Checked {
  readonly code: number;
  readonly output: string;
  /** Without those that are in order. */
  readonly problems: readonly Finding[];
}

async function check(settings: Readonly<Record<string, string>>, options: ProxyOptions = {}): Promise<Checked> {
  await using program = new Proxy(settings, { ...options, args: ["check", "--json"] });
  const { code, output } = await program.ended();
  const report: { checks: Finding[] } = JSON.parse(output);
  return { code, output, problems: report.checks.filter(({ state }) => state === "problem") };
}

interface Problem {
  readonly change: (folder: TempDir, plane: ControlPlane) => Readonly<Record<string, string>>;
  readonly options?: ProxyOptions;
  readonly subject: string;
  readonly text: RegExp;
  readonly cure: RegExp;
}

/** With this change of the settings there is exactly this problem. */
function problem(name: string, { change, options, subject, text, cure }: Problem, needs: Needs = {}): void {
  testNeeding(needs, `check: ${name}`, async () => {
    using folder = tempDir();
    await using plane = await ControlPlane.start();
    const settings = settingsFor(plane, folder);
    const { code, output, problems } = await check({ ...settings, ...change(folder, plane) }, options);
    assert.equal(code, 1, output);
    assert.deepEqual(problems.map((each) => each.subject), [subject], output);
    assert.match(problems[0]!.text, text);
    assert.match(problems[0]!.cure ?? "", cure);
    assert.ok(!output.includes(SECRET));
  });
}

Deno.test("check: nothing is wrong", async () => {
  using folder = tempDir();
  await using plane = await ControlPlane.start();
  const settings = settingsFor(plane, folder);
  await using program = new Proxy(settings, { args: ["check"] });
  const { code, output } = await program.ended();
  assert.equal(code, 0, output);
  assert.match(output, /^ {2}PROXY_MODE +environment +dedicated$/m);
  assert.match(output, /^ {2}XDS_HEADER_authorization +environment +\(hidden\)$/m);
  for (const subject of ["configuration", "descriptors", "capabilities", "token", "TLS library", "clock"]) {
    assert.match(output, new RegExp(`^ {2}ok +${subject} `, "m"), output);
  }
  assert.match(output, /^ {2}ok +control plane +https:\/\/localhost:\d+ is reached and trusted$/m);
  assert.match(output, /^ {2}ok +CA +https:\/\/localhost:\d+ is reached and trusted$/m);
  assert.match(output, /^No problem was found$/m);
  assert.ok(!output.includes(SECRET));
});

Deno.test("check: a port that another program has", async () => {
  using taken = Deno.listen({ hostname: IP, port: 0 });
  const { port } = taken.addr;
  using folder = tempDir();
  await using plane = await ControlPlane.start();
  const { problems } = await check({ ...settingsFor(plane, folder), STATS_PORT: `${port}` });
  assert.deepEqual(problems.map(({ subject }) => subject), ["port"]);
  assert.match(
    problems[0]!.text,
    new RegExp(`^${IP}:${port}: Address already in use .*, by \\S+ \\(process ${Deno.pid}\\)$`),
  );
  assert.match(problems[0]!.cure!, /STATS_PORT/);
});

Deno.test("check: the ports of a proxy that is running are no problem", async () => {
  using folder = tempDir();
  const mesh = meshText([{ name: "b", ips: [IP] }]);
  const settings = nodeSettings({ name: "b", ip: IP, mesh, folder: folder.path });
  await using proxy = await Proxy.ready(settings);
  const { port } = await proxy.place("stats");
  const { code, output } = await check({ ...settings, STATS_PORT: `${port}` });
  assert.equal(code, 0, output);
  assert.match(output, new RegExp(`already running \\(process ${proxy.pid}\\): ${IP}:${port}"`));
});

testNeeding(
  { root: true, packages: ["setpriv"] },
  "check: the ports of a running proxy are no problem where its descriptors cannot be read, as in its container",
  async () => {
    using folder = tempDir();
    const mesh = meshText([{ name: "b", ips: [IP] }]);
    const settings = nodeSettings({ name: "b", ip: IP, mesh, folder: folder.path });
    await using proxy = await Proxy.ready(settings);
    const { port } = await proxy.place("stats");
    const before = ["setpriv", "--bounding-set=-sys_ptrace"];
    const { code, output } = await check({ ...settings, STATS_PORT: `${port}` }, { before });
    assert.equal(code, 0, output);
    assert.match(output, /in use by the proxy that is already running/);
  },
);

problem("the token is a folder", {
  change: (folder) => ({ AUTH_TOKEN: folder.path }),
  subject: "token",
  text: /: Is a directory/,
  cure: /readable for user \d+$/,
});

problem("the control plane cannot be reached", {
  change: () => ({ XDS_ADDRESS: "https://127.0.0.1:1" }),
  subject: "control plane",
  text: /^https:\/\/127\.0\.0\.1:1: tcp connect error: .*Connection refused \(os error 111\)$/,
  cure: /^is the server running there\? XDS_ADDRESS/,
});

problem("the roots are those of another control plane", {
  change: (folder) => ({
    XDS_ROOT_CA: folder.write("other.pem", encodePem("CERTIFICATE", makeCa("Other", VALID_NOW).certificate)),
  }),
  subject: "control plane",
  text: /no trusted root has issued/,
  cure: /^XDS_ROOT_CA must be the root/,
});

problem("the server's certificate has another name", {
  change: (_folder, plane) => ({ CA_ADDRESS: plane.url.replace("localhost", "127.0.0.1") }),
  subject: "CA",
  text: /localhost/,
  cure: /^set ALT_CA_HOSTNAME/,
});

problem("few descriptors", {
  change: () => ({}),
  options: { before: ["sh", "-c", 'ulimit -n 1024; exec "$@"', "sh"] },
  subject: "descriptors",
  text: /^at most 1024 can be open/,
  cure: /ulimit -Hn/,
});

problem("a capability is missing", {
  change: () => ({ ENABLE_ORIG_SRC: "true" }),
  options: { before: Deno.uid() === 0 ? ["setpriv", "--bounding-set=-net_admin,-net_raw"] : [] },
  subject: "capabilities",
  text: /^NET_ADMIN or NET_RAW is missing/,
  cure: /ENABLE_ORIG_SRC/,
}, { packages: ["setpriv"] });

problem("the TLS library cannot be loaded", {
  change: () => ({ TLS_LIBRARY: "/nowhere/libssl.so" }),
  subject: "TLS library",
  text: /\/nowhere\/libssl\.so/,
  cure: /TLS_LIBRARY/,
});

Deno.test("check: the socket of a SPIRE agent that runs, and of one that does not", async () => {
  using folder = tempDir();
  await using plane = await ControlPlane.start();
  const path = `${folder.path}/admin.sock`;
  const settings = {
    ...settingsFor(plane, folder),
    SPIRE_ENABLED: "true",
    SPIRE_ATTESTATION: "selectors",
    SPIRE_ADMIN_ENDPOINT_SOCKET: `unix://${path}`,
  };
  const absent = await check(settings);
  assert.deepEqual(absent.problems.map(({ subject }) => subject), ["SPIRE agent"]);
  assert.match(absent.problems[0]!.text, /admin\.sock: No such file or directory/);
  using _agent = Deno.listen({ transport: "unix", path });
  const running = await check(settings);
  assert.deepEqual([running.code, running.problems], [0, []], running.output);
});

problem("a variable is misspelt", {
  change: () => ({ ALT_XDS_HOSTNAM: "x" }),
  subject: "variable",
  text: /^ALT_XDS_HOSTNAM \(is ALT_XDS_HOSTNAME meant\?\)/,
  cure: /correct it/,
});

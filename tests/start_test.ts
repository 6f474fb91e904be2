/**
 * Starts that cannot succeed: each ends with the exit code of `docs/spec/config-admin.md` 7.5, prints to standard error
 * what is wrong and what to do, and leaves no process running.
 */
import { strict as assert } from "node:assert";
import { withResolver } from "../testkit/dns_server.ts";
import { meshText } from "../lab/mesh.ts";
import { makeNamespace } from "../lab/namespace.ts";
import { type Needs, testNeeding } from "../lab/needs.ts";
import { run } from "../lab/program.ts";
import { cacheProgram, Proxy, type ProxyOptions } from "../lab/proxy.ts";
import { sessionMembers } from "../testkit/session.ts";
import { nodeSettings } from "../lab/settings.ts";
import { tempDir } from "../lab/temp_dir.ts";

const IP = "127.0.0.3";
const MESH = meshText([{ name: "b", ips: [IP] }]);

/** Characters at the end of the output that are checked; the logged configuration before is not about the failure. */
const LAST_WORDS = 2000;

interface Refusal extends ProxyOptions {
  /** Replace and add variables; null takes one away. */
  readonly settings?: Readonly<Record<string, string | null>>;
  readonly code?: number;
  /** Texts that the output must have. */
  readonly says: readonly (string | RegExp)[];
}

async function refuses({ settings = {}, code = 1, says, ...options }: Refusal): Promise<void> {
  using folder = tempDir();
  const all: Record<string, string | null> = {
    ...nodeSettings({ name: "b", ip: IP, mesh: MESH, folder: folder.path }),
    ...settings,
  };
  const given = Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== null);
  await using proxy = new Proxy(Object.fromEntries(given), options);
  const ended = await proxy.ended();
  const output = ended.output.slice(-LAST_WORDS);
  assert.equal(ended.code, code, `exit code ${ended.code}, signal ${ended.signal ?? "none"}\n${output}`);
  for (const text of says) {
    if (typeof text === "string") assert.ok(output.includes(text), `${text} is not in\n${output}`);
    else assert.match(output, text);
  }
  assert.doesNotMatch(output, /^ +at /m, "no stack for an operator");
  assert.deepEqual(sessionMembers(proxy.pid), []);
}

function refusal(name: string, what: Refusal, needs: Needs = {}): void {
  testNeeding(needs, `start: ${name}`, () => refuses(what));
}

/** The static mesh of the test with `lines` of a workload in it. */
function yaml(...lines: readonly string[]): string {
  return ["workloads:", "  - name: b", "    namespace: test", "    services: {}", ...lines.map((l) => `    ${l}`)].join(
    "\n",
  );
}

refusal("the file of the static mesh is missing", {
  settings: { LOCAL_XDS: null, LOCAL_XDS_PATH: "/nowhere/mesh.yaml" },
  says: ["Error: cannot read LOCAL_XDS_PATH /nowhere/mesh.yaml: No such file or directory"],
});
refusal("the static mesh has an unknown key, config 2", {
  settings: { LOCAL_XDS: yaml("workloadIps: [10.0.0.1]", "colour: blue") },
  says: ["Error: LOCAL_XDS:6:5: workloads[0] has the unknown key colour; accepted are workloadIps, "],
});
refusal("the static mesh has an address that is none", {
  settings: { LOCAL_XDS: yaml("workloadIps: [10.0.0.300]") },
  says: [/Error: LOCAL_XDS:5:\d+: cannot use workloads\[0\]\.workloadIps\[0\] "10\.0\.0\.300": it must be /],
});
refusal("the static mesh has a port that is none", {
  settings: { LOCAL_XDS: yaml("workloadIps: [10.0.0.1]", "waypoint: {destination: /10.0.0.2, hboneMtlsPort: 70000}") },
  says: [/Error: LOCAL_XDS:6:\d+: cannot use \S*hboneMtlsPort 70000: it must be a whole number from 0 to 65535/],
});
refusal("two workloads of the static mesh have one uid", {
  settings: { LOCAL_XDS: meshText([{ name: "b", ips: [IP] }, { name: "b", ips: ["127.0.0.4"] }]) },
  says: [/Error: LOCAL_XDS:1:\d+: workloads\[1\] has the uid "test\/b", as workloads\[0\] has/],
});
refusal("the static mesh is no YAML", {
  settings: { LOCAL_XDS: "workloads: [\n  {name: b" },
  says: [/Error: LOCAL_XDS:\d+:\d+: /],
});
refusal("both sources of the static mesh are set, config 1.4", {
  settings: { LOCAL_XDS_PATH: "/nowhere/mesh.yaml" },
  says: ["Error: invalid configuration: only one of LOCAL_XDS_PATH or LOCAL_XDS may be set"],
});

refusal("PROXY_WORKLOAD_INFO is missing, config 1.3", {
  settings: { PROXY_WORKLOAD_INFO: null },
  says: ["Error: invalid configuration: PROXY_MODE=dedicated requires PROXY_WORKLOAD_INFO to be set"],
});
refusal("PROXY_WORKLOAD_INFO is malformed, config C11", {
  settings: { PROXY_WORKLOAD_INFO: "a/b" },
  says: ['must match the format \'namespace/name/service-account\' (got ["a", "b"])'],
});
refusal("HTTP2_FRAME_SIZE is out of range, config 1.6", {
  settings: { HTTP2_FRAME_SIZE: "16383" },
  says: ["Error: invalid env var HTTP2_FRAME_SIZE=16383 (must be between 16384 and 16777215)"],
});
refusal("RUST_LOG is no filter: the code of a panic, config 7.5", {
  settings: { RUST_LOG: "a=b=c" },
  code: 101,
  says: ["Error: RUST_LOG: invalid filter directive: too many '='"],
});
refusal("no certification authority is named", {
  settings: { FAKE_CA: "false", CA_ADDRESS: "" },
  says: [/Error: .*set .*CA/],
});
refusal("the files of the CA hold something else", {
  settings: { LOCAL_CA_CERT: "/dev/null", LOCAL_CA_KEY: "/dev/null" },
  says: ['Error: CA key "/dev/null" is no unencrypted private key in PEM'],
});
refusal("an unknown command gets the help, config 1.14", {
  args: ["frobnicate"],
  says: ["unknown command: frobnicate", "Commands:", /help \[command\] +Print commands and version of ztunnel/],
});

refusal("TLS_LIBRARY names nothing", {
  settings: { TLS_LIBRARY: "/nowhere/libssl.so" },
  says: [
    /Error: no usable TLS library: .*\/nowhere\/libssl\.so.*; TLS_LIBRARY must be the path of an OpenSSL 3.*apt-get install/,
  ],
});
refusal("the TLS library does not know the post-quantum group, identity S42", {
  // The system's, which in Debian 12 is 3.0; where it is newer the start succeeds, and a test of TLS says so.
  settings: { TLS_LIBRARY: "libssl.so.3", COMPLIANCE_POLICY: "pqc" },
  says: [/Error: OpenSSL 3\.0.* cannot do what COMPLIANCE_POLICY=pqc asks for; set TLS_LIBRARY to AWS-LC /],
});
refusal("the TLS library has no FIPS module", {
  settings: { TLS_LIBRARY: "libssl.so.3", COMPLIANCE_POLICY: "fips-140-3", OPENSSL_MODULES: "/nowhere" },
  says: [
    /Error: OpenSSL 3.* cannot do what COMPLIANCE_POLICY asks for; set TLS_LIBRARY to a library with a FIPS module/,
    /its FIPS provider cannot be loaded \(.+\)\. It is fips\.so in OPENSSL_MODULES .*openssl-provider-fips.*fipsinstall/,
  ],
});
refusal("with a FIPS policy the system's TLS library is used, not the one inside the executable", {
  settings: {
    TLS_LIBRARY: "",
    ZTUNNEL_BUNDLED_TLS_LIBRARY: "/nowhere/libssl.so",
    COMPLIANCE_POLICY: "fips-140-3",
    OPENSSL_MODULES: "/nowhere",
  },
  says: [/Error: OpenSSL 3.* \(libssl\.so\.3\) cannot do what COMPLIANCE_POLICY asks for/],
});
testNeeding(
  { packages: ["unshare"], root: true },
  "start: without a TLS library the message names the package that has it",
  async () => {
    if (Deno.env.get("ZTUNNEL_EXECUTABLE")) return; // it contains one
    const libraries = await run("sh", "-c", "ldconfig -p | awk '/libssl\\.so\\.3 / { print $NF }'");
    const hide = libraries.split("\n").map((path) => `mount --bind /dev/null ${path}; `).join("");
    await refuses({
      before: ["unshare", "--mount", "sh", "-c", `${hide}exec "$@"`, "sh"],
      settings: { TLS_LIBRARY: "" },
      says: [/Error: no usable TLS library: .*apt-get install libssl3/],
    });
  },
);

/** A listener on a port that the proxy is configured to use, too. */
const LISTENERS: readonly (readonly [variable: string, ip: string])[] = [
  ["INBOUND_PORT", IP],
  ["INBOUND_PLAINTEXT_PORT", IP],
  ["OUTBOUND_PORT", IP],
  ["SOCKS5_PORT", "127.0.0.1"],
  ["ADMIN_PORT", "127.0.0.1"],
  ["STATS_PORT", IP],
  ["READINESS_PORT", IP],
];
for (const [variable, ip] of LISTENERS) {
  Deno.test(`start: the port of ${variable} is in use, config C45, dataplane SK-03`, async () => {
    using taken = Deno.listen({ hostname: ip, port: 0 });
    const { port } = taken.addr;
    await refuses({
      settings: { [variable]: `${port}` },
      says: [
        `Error: failed to bind to address ${ip}:${port}: Address already in use (os error 98); ` +
        `\`ss -ltnp\` shows who has the port, ${variable} sets another one`,
      ],
    });
  });
}

/** Commands without CAP_NET_ADMIN and CAP_NET_RAW. */
const UNPRIVILEGED = Deno.uid() === 0 ? ["setpriv", "--bounding-set=-net_admin,-net_raw"] : [];
refusal("ENABLE_ORIG_SRC=true without the right to", {
  before: UNPRIVILEGED,
  settings: { ENABLE_ORIG_SRC: "true" },
  says: [
    `Error: failed to bind to address ${IP}:0: Operation not permitted (os error 1); ` +
    "ENABLE_ORIG_SRC=true must have CAP_NET_ADMIN or CAP_NET_RAW",
  ],
}, { packages: ["setpriv"] });
refusal("PACKET_MARK without the right to", {
  before: UNPRIVILEGED,
  settings: { PACKET_MARK: "1337" },
  says: [
    "Error: failed to set socket mark: failed to set mark on socket. make sure ztunnel has CAP_NET_RAW, CAP_NET_ADMIN.",
    "Operation not permitted (os error 1)",
  ],
}, { packages: ["setpriv"] });
testNeeding(
  { packages: ["setpriv"] },
  "start: with ENABLE_ORIG_SRC=false it starts without the capability",
  async () => {
    using folder = tempDir();
    const settings = nodeSettings({ name: "b", ip: IP, mesh: MESH, folder: folder.path });
    const { ENABLE_ORIG_SRC: _, ...rest } = settings;
    await using proxy = await Proxy.ready(rest, { before: UNPRIVILEGED });
    assert.equal((await proxy.line(/component="inbound"/)).fields.get("transparent"), "false");
    assert.equal((await proxy.stop()).code, 0);
  },
);

testNeeding({ namespaces: true }, "start: with ENABLE_PROXY=false there is DNS only, config 1", async () => {
  await cacheProgram("main.ts");
  using folder = tempDir();
  await using namespace = await makeNamespace("dns");
  using _ = withResolver(namespace, "nameserver 127.0.0.1\n");
  await using proxy = await Proxy.ready({
    ...nodeSettings({ name: "b", ip: IP, mesh: MESH, folder: folder.path }),
    ENABLE_PROXY: "false",
    ISTIO_META_DNS_CAPTURE: "true",
    ISTIO_META_DNS_PROXY_ADDR: `${IP}:0`,
  }, { namespace: namespace.name });
  await proxy.line(/no proxy created/);
  await proxy.line(/starting local DNS server/);
  const messages = proxy.lines.map(({ message }) => message);
  assert.ok(!messages.some((message) => message.startsWith("Task 'proxy'")), "nobody waits for it");
  const components = proxy.lines.filter(({ message }) => message === "listener established")
    .map(({ fields }) => fields.get("component"));
  assert.deepEqual(components.sort(), ["admin", "readiness", "stats"]);
  assert.equal((await proxy.stop()).code, 0);
});

refusal("an option of proxy that does not exist is named", {
  args: ["proxy", "--nonsense"],
  code: 2,
  says: ["Error: unknown option '--nonsense'", "Usage: ztunnel proxy"],
});
const ANSWERS: readonly (readonly [words: string, answer: RegExp])[] = [
  ["version", /^version\.BuildInfo\{Version:"/],
  ["help", /^Commands:$/m],
  ["-h", /^Commands:$/m],
  ["proxy --help", /^Usage: ztunnel proxy/],
];
for (const [words, answer] of ANSWERS) {
  Deno.test(`start: ${words} answers and succeeds, config 1.14`, async () => {
    await using proxy = new Proxy({}, { args: words.split(" ") });
    const { code, output } = await proxy.ended();
    assert.equal(code, 0);
    assert.match(output, answer);
  });
}

testNeeding({ namespaces: true }, "start: without any variable one warning says how to try the proxy", async () => {
  await cacheProgram("main.ts");
  await using namespace = await makeNamespace("bare");
  await using proxy = new Proxy({ XDS_ADRESS: "misspelt" }, { namespace: namespace.name });
  // Of the attempts to reach istiod, each waits longer than the one before.
  await proxy.line(/XDS client error: cannot read root certificates .* retrying in 1\.28s/);
  const warnings = proxy.lines.filter(({ level, scope }) => level === "warn" && !scope.startsWith("xds"));
  assert.deepEqual(warnings.map(({ message }) => message.split(/[:,]/)[0]), [
    "environment variables without effect",
    "this is not a pod of a cluster",
  ]);
  assert.equal((await proxy.stop()).code, 0);
});

Deno.test("start: the example for one workload starts with the variables that it names", async () => {
  const path = "deploy/one-workload.yaml";
  const text = await Deno.readTextFile(new URL(`../${path}`, import.meta.url));
  const [command = ""] = /PROXY_MODE[^]*?task start/.exec(text) ?? [];
  const named = Object.fromEntries(
    [...command.matchAll(/\b([A-Z0-9_]+)=(\S*)/g)].map(([, name, value]) => [name!, value!]),
  );
  assert.equal(named["LOCAL_XDS_PATH"], path);
  const ports = ["INBOUND", "SOCKS5", "OUTBOUND", "INBOUND_PLAINTEXT", "ADMIN", "STATS", "READINESS"];
  const free = Object.fromEntries(ports.map((port) => [`${port}_PORT`, "0"]));
  await using proxy = await Proxy.ready({ ...named, ...free, ZTUNNEL_WORKER_THREADS: "1" });
  const { hostname, port } = await proxy.place("socks5");
  assert.deepEqual([hostname, port > 0], ["127.0.0.1", true]);
  assert.deepEqual(proxy.lines.filter(({ level }) => level === "warn").map(({ message }) => message.split(":")[0]), [
    "FAKE_CA=true",
  ]);
  assert.equal((await proxy.stop()).code, 0);
});

Deno.test("start: the same program starts when nothing is wrong", async () => {
  using folder = tempDir();
  await using proxy = await Proxy.ready(nodeSettings({ name: "b", ip: IP, mesh: MESH, folder: folder.path }));
  assert.equal((await proxy.stop()).code, 0);
});

/** Tests `tools/launcher/` with a small script as the runtime, so that each start takes milliseconds. */
import { strict as assert } from "node:assert";
import { type Needs, testNeeding } from "../../lab/needs.ts";
import { type TempDir, tempDir } from "../../lab/temp_dir.ts";
import { run } from "../../lab/program.ts";
import { header, productFlags } from "../../lab/product_flags.ts";

/** Stands in for the runtime: prints its process id, user, arguments and signal state. */
const RUNTIME = `#!/bin/sh
echo "pid $$"; echo "uid $(id -u)"; for a in "$@"; do echo "arg $a"; done; grep SigIgn /proc/$$/status
tr '\\0' '\\n' </proc/$$/environ; exit 7
`;
const BUILD = new URL("build.sh", import.meta.url).pathname;
const NEEDS = { packages: ["cc"], headers: ["/usr/include/zlib.h"] } as const satisfies Needs;
const NOBODY = 65534;

let built: Promise<Uint8Array> | undefined;

/** The bytes of an executable, built once for all tests. */
function executable(): Promise<Uint8Array> {
  return built ??= (async () => {
    using dir = tempDir();
    Deno.mkdirSync(`${dir.path}/parts`);
    Deno.chmodSync(dir.write("parts/deno", RUNTIME), 0o755);
    dir.write("parts/ztunnel.js", "// the program\n");
    await run(BUILD, "unpack", `${dir.path}/parts`, `${dir.path}/out`, dir.write("table.h", header()), "--some-flag");
    return Deno.readFileSync(`${dir.path}/out`);
  })();
}

interface Started {
  readonly code: number;
  readonly pid: number;
  readonly lines: readonly string[];
  readonly err: string;
}

/** The executable in a temporary folder that every user may enter. */
class Launcher implements Disposable {
  private constructor(readonly dir: TempDir, readonly path: string) {}

  static async build(): Promise<Launcher> {
    const dir = tempDir("launcher-");
    Deno.chmodSync(dir.path, 0o755);
    const path = dir.write("ztunnel", await executable());
    Deno.chmodSync(path, 0o755);
    return new Launcher(dir, path);
  }

  /** A folder in the temporary one with exactly this mode and owner; by default as this user would have created it. */
  folder(name: string, mode = 0o700, owner?: number): string {
    const path = `${this.dir.path}/${name}`;
    Deno.mkdirSync(path);
    Deno.chmodSync(path, mode);
    if (owner !== undefined) Deno.chownSync(path, owner, owner);
    return path;
  }

  async start(env: Record<string, string>, uid?: number): Promise<Started> {
    const child = new Deno.Command(this.path, {
      args: ["run-me", "two words"],
      clearEnv: true,
      env: { PATH: "/usr/bin:/bin", ...env },
      ...uid !== undefined && { uid, gid: uid },
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const { code, stdout, stderr } = await child.output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, pid: child.pid, lines: text(stdout).split("\n"), err: text(stderr) };
  }

  /** The folder of this version, into which it has unpacked. */
  async home(env: Record<string, string>, uid?: number): Promise<string> {
    const { code, lines, err } = await this.start(env, uid);
    assert.equal(code, 7, err);
    return lines.find((line) => line.startsWith("DENO_DIR="))!.replace(/^DENO_DIR=(.*)\/cache$/, "$1");
  }

  /** Asserts that the start is refused for this reason, before code of another user has run. */
  async refused(env: Record<string, string>, reason: RegExp): Promise<void> {
    const { code, lines, err } = await this.start(env);
    assert.match(err, reason);
    assert.match(err, /^ztunnel: .*set ZTUNNEL_UNPACK_DIR to a folder|remove .* and start again/m);
    assert.deepEqual({ code, lines }, { code: 1, lines: [""] });
  }

  [Symbol.dispose](): void {
    this.dir[Symbol.dispose]();
  }
}

/** Puts another user's code where the launcher will look for the runtime of its version. */
function plant(home: string, owner: number): void {
  Deno.mkdirSync(home);
  Deno.writeTextFileSync(`${home}/deno`, "#!/bin/sh\necho code of a stranger\n", { mode: 0o755 });
  Deno.writeTextFileSync(`${home}/checked`, "");
  for (const path of [home, `${home}/deno`, `${home}/checked`]) Deno.chownSync(path, owner, owner);
}

testNeeding(NEEDS, "launcher: unpacks once; arguments, exit status and process id are the program's own", async () => {
  using launcher = await Launcher.build();
  const base = `${launcher.dir.path}/a/b`;
  for (const time of ["first", "second"]) {
    const { code, pid, lines, err } = await launcher.start({ ZTUNNEL_UNPACK_DIR: base });
    assert.equal(code, 7, `${time}: ${err}`);
    const [id] = [...Deno.readDirSync(base)].map(({ name }) => name);
    const own = lines.filter((line) => /^(arg|pid)/.test(line) && !/^arg --(allow|deny|v8|no-prompt)/.test(line));
    const words = ["run", "--some-flag", `${base}/${id}/ztunnel.js`, "run-me", "two words"];
    assert.deepEqual(own, [`pid ${pid}`, ...words.map((word) => `arg ${word}`)]);
    assert.equal(Deno.statSync(`${base}/${id}`).mode! & 0o777, 0o700);
    await Deno.truncate(launcher.path, Deno.statSync(launcher.path).size - 100); // the payload is cut off from here on
  }
});

testNeeding(NEEDS, "launcher: the program gets the caller's environment, odd names included", async () => {
  using launcher = await Launcher.build();
  const env = { "XDS_HEADER_x-tenant": "blue", "ISTIO_META_A.B": "c", DENO_DIR: "/elsewhere", EMPTY: "" };
  const { lines } = await launcher.start({ ...env, ZTUNNEL_UNPACK_DIR: launcher.folder("base") });
  for (const line of ["XDS_HEADER_x-tenant=blue", "ISTIO_META_A.B=c", "EMPTY=", "DENO_NO_UPDATE_CHECK=1"]) {
    assert.ok(lines.includes(line), `${line} is not in ${lines.join(" ")}`);
  }
  assert.ok(!lines.includes("DENO_DIR=/elsewhere"));
});

testNeeding(NEEDS, "launcher: the permissions are the same as for a start from the sources", async () => {
  using launcher = await Launcher.build();
  const base = launcher.folder("base");
  const environments: Record<string, string>[] = [
    {},
    { XDS_ROOT_CA: "/a/root.pem", CA_ROOT_CA: "-----BEGIN CERTIFICATE-----", CRL_PATH: "", LOCAL_XDS_PATH: "/a,b" },
    { AUTH_TOKEN: "/secret", LOCAL_XDS_PATH: "deno.json", XDS_ADDRESS: "unix:///x.sock", CA_ADDRESS: "istiod:1" },
    { AUTH_TOKEN: launcher.path, LOCAL_CA_CERT: "/ca.pem", LOCAL_CA_KEY: "ca.key", SPIFFE_BROKER_SOCKET: "unix:/b" },
    { SPIRE_ENABLED: "true", CONTAINER_RUNTIME_SOCK_PATH: "/r.sock" },
  ];
  for (const environment of environments) {
    const { lines } = await launcher.start({ ...environment, ZTUNNEL_UNPACK_DIR: base });
    const given = lines.filter((line) => /^arg --(allow|deny|v8|no-prompt)/.test(line)).map((line) => line.slice(4));
    assert.deepEqual(given.map(paths), productFlags(environment).map(paths));
  }

  /** The flag, its paths sorted and without the program's own folder. */
  function paths(flag: string): string {
    const [name, list] = flag.split("=") as [string, string | undefined];
    const own = /^(src|main\.ts|\/.*\/[0-9a-f]{16})$/;
    return `${name} ${list?.split(",").filter((path) => !own.test(path)).sort().join(" ")}`;
  }
});

testNeeding(NEEDS, "launcher: in folder form it starts the files beside it, found through links and PATH", async () => {
  using dir = tempDir();
  Deno.mkdirSync(`${dir.path}/lib`);
  Deno.chmodSync(dir.write("lib/deno", RUNTIME), 0o755);
  await run(BUILD, "folder", "", `${dir.path}/lib/ztunnel`, dir.write("table.h", header()), "--some-flag");
  Deno.symlinkSync("lib/ztunnel", `${dir.path}/zt`);
  const { code, stdout } = new Deno.Command("env", { // searches PATH, and drops no variables as a shell might
    args: ["zt", "version"],
    clearEnv: true,
    env: { PATH: `${dir.path}:/usr/bin:/bin`, "XDS_HEADER_x-tenant": "blue" },
  }).outputSync();
  assert.equal(code, 7);
  const lines = new TextDecoder().decode(stdout).split("\n");
  assert.ok(lines.includes("XDS_HEADER_x-tenant=blue"));
  assert.ok(lines.includes(`arg ${dir.path}/lib/ztunnel.js`));
});

testNeeding(NEEDS, "launcher: many first starts at once all work and leave one folder", async () => {
  using launcher = await Launcher.build();
  const base = launcher.folder("base");
  const runs = await Promise.all(Array.from({ length: 8 }, () => launcher.start({ ZTUNNEL_UNPACK_DIR: base })));
  assert.deepEqual(runs.map((run) => run.code), Array(8).fill(7), runs.map((run) => run.err).join(""));
  assert.equal([...Deno.readDirSync(base)].length, 1);
});

testNeeding(NEEDS, "launcher: a damaged payload is reported, and nothing of it is left on the disk", async () => {
  using launcher = await Launcher.build();
  const base = launcher.folder("base");
  const bytes = Deno.readFileSync(launcher.path);
  bytes[bytes.length - 40]! ^= 0xff;
  Deno.writeFileSync(launcher.path, bytes);
  const { code, err } = await launcher.start({ ZTUNNEL_UNPACK_DIR: base });
  assert.equal(code, 1);
  assert.match(err, /damaged|is not what this executable has packed/);
  for (const { name } of Deno.readDirSync(base)) assert.ok(!name.startsWith(".new"), name);
});

testNeeding(
  NEEDS,
  "launcher: files in the final place are compared with the packed ones before they run",
  async () => {
    using launcher = await Launcher.build();
    const env = { ZTUNNEL_UNPACK_DIR: launcher.folder("base") };
    const home = await launcher.home(env);
    assert.match(await Deno.readTextFile(`${home}/ztunnel.js`), /the program/);
    Deno.removeSync(`${home}/checked`); // as after a start that was killed before it had checked
    Deno.writeTextFileSync(`${home}/ztunnel.js`, "another program");
    await launcher.refused(env, /\/ztunnel.js is not what this executable has packed; remove .* and start again/);
  },
);

testNeeding(NEEDS, "launcher: an unpack folder must be private, no link, and below no folder of others", async () => {
  using launcher = await Launcher.build();
  const { path } = launcher.dir;
  const at = (folder: string) => ({ ZTUNNEL_UNPACK_DIR: folder });
  await launcher.refused(at("here"), /"here" is not an absolute path/);
  await launcher.refused(at("/proc/nowhere"), /\/proc\/nowhere cannot be opened or made/);
  await launcher.refused(at(launcher.path), /ztunnel cannot be opened or made: it is a link or no folder/);
  await launcher.refused(at(launcher.folder("open", 0o755)), /open has mode 0755 and must have 0700/);
  await launcher.refused(at(launcher.folder("tmp", 0o1777)), /tmp has mode 1777 and must have 0700/);
  launcher.folder("shared", 0o775);
  await launcher.refused(at(`${path}/shared/mine`), /others may write to .*\/shared \(mode 0775\)/);
  Deno.symlinkSync(launcher.folder("real"), `${path}/link`);
  await launcher.refused(at(`${path}/link`), /link cannot be opened or made: it is a link or no folder/);
  assert.match(await launcher.home(at(`${path}/link/below`)), /\/real\/below\//);
  assert.match(await launcher.home(at(`${path}/tmp/mine`)), /\/tmp\/mine\//);
});

const TWO_USERS = { ...NEEDS, root: true, namespaces: true, packages: ["cc", "unshare"] } as const satisfies Needs;

testNeeding(TWO_USERS, "launcher: root runs no file that another user has put into the unpack folder", async () => {
  using launcher = await Launcher.build();
  const env = { ZTUNNEL_UNPACK_DIR: launcher.folder("base") };
  const home = await launcher.home(env);
  const id = home.split("/").at(-1)!;

  // The name of the version's folder is public, so another user can create it first where all may write.
  const shared = launcher.folder("shared", 0o1777);
  plant(`${shared}/${id}`, NOBODY);
  await launcher.refused({ ZTUNNEL_UNPACK_DIR: shared }, /shared has mode 1777/);

  const theirs = launcher.folder("shared/ztunnel", 0o755, NOBODY);
  plant(`${theirs}/${id}`, NOBODY);
  await launcher.refused({ ZTUNNEL_UNPACK_DIR: theirs }, /shared\/ztunnel belongs to user 65534, not to user 0/);

  // Even in a folder that belongs to root now: it was writable for others once.
  await Deno.rename(home, `${home}.old`);
  plant(home, NOBODY);
  await launcher.refused(env, new RegExp(`${id} belongs to user 65534`));
});

testNeeding(TWO_USERS, "launcher: root does not unpack below a folder that another user could rename", async () => {
  using launcher = await Launcher.build();
  const theirs = launcher.folder("home", 0o755, NOBODY);
  await launcher.refused({ ZTUNNEL_UNPACK_DIR: `${theirs}/ours` }, /home belongs to user 65534/);
  Deno.mkdirSync(`${theirs}/ours`, { mode: 0o700 });
  await launcher.refused({ ZTUNNEL_UNPACK_DIR: `${theirs}/ours` }, /home belongs to user 65534/);

  // Without a setting it is a folder of the system, whatever HOME says. The test has a file system of its own.
  const script = `mount -t tmpfs -o mode=755 none /var/cache; "$0"; echo "code $?"; ls /var/cache/ztunnel`;
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: theirs, XDG_CACHE_HOME: theirs, TMPDIR: theirs };
  const options = { args: ["-m", "sh", "-c", script, launcher.path], clearEnv: true, env };
  const said = new TextDecoder().decode((await new Deno.Command("unshare", options).output()).stdout);
  assert.match(said, /^DENO_DIR=\/var\/cache\/ztunnel\/([0-9a-f]{16})\/cache$[^]*^code 7\n\1\n$/m);
  assert.deepEqual([...Deno.readDirSync(theirs)].map(({ name }) => name), ["ours"]);
});

testNeeding(TWO_USERS, "launcher: another user unpacks into the first candidate folder that is safe", async () => {
  using launcher = await Launcher.build();
  const home = launcher.folder("home", 0o755, NOBODY);
  const xdg = launcher.folder("xdg", 0o700, NOBODY);
  const temporary = launcher.folder("tmp", 0o1777);
  const where = async (env: Record<string, string>) =>
    (await launcher.home({ TMPDIR: temporary, ...env }, NOBODY)).replace(/\/[0-9a-f]{16}$/, "");
  assert.equal(await where({ HOME: home, XDG_CACHE_HOME: xdg }), `${xdg}/ztunnel`);
  assert.equal(await where({ HOME: home }), `${home}/.cache/ztunnel`);
  assert.equal(await where({ HOME: "/nonexistent" }), `${temporary}/ztunnel-65534`);
  Deno.removeSync(`${temporary}/ztunnel-65534`, { recursive: true });
  launcher.folder("tmp/ztunnel-65534", 0o777, 1);
  const { code, err } = await launcher.start({ HOME: "/nonexistent", TMPDIR: temporary }, NOBODY);
  assert.equal(code, 1);
  assert.match(err, /cannot unpack into \/nonexistent.*\n.*tmp\/ztunnel-65534 belongs to user 1, not to user 65534\n/);
});

testNeeding(NEEDS, "launcher: SIGUSR1 is ignored before the runtime starts", async () => {
  using launcher = await Launcher.build();
  const { lines } = await launcher.start({ ZTUNNEL_UNPACK_DIR: launcher.folder("home") });
  const mask = /^SigIgn:\s+(\w+)/.exec(lines.find((line) => line.startsWith("SigIgn"))!)![1]!;
  assert.notEqual(BigInt(`0x${mask}`) & (1n << 9n), 0n);
});

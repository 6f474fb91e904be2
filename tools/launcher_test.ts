/** `tools/launcher.sh` with a payload whose runtime is a small script, so that each start takes milliseconds. */
import { strict as assert } from "node:assert";
import { testNeeding } from "../tests/support/needs.ts";

const HEADER_SIZE = 4096;
/** Stands in for the runtime: says who it is, where its cache is and what it was told. */
const RUNTIME = '#!/bin/sh\necho "pid $$"; echo "cache $DENO_DIR"; for a in "$@"; do echo "arg $a"; done; exit 7\n';

interface Program extends Disposable {
  readonly folder: string;
  readonly path: string;
  start(env?: Record<string, string>, path?: string): Promise<Started>;
}
interface Started {
  readonly code: number;
  readonly pid: number;
  readonly out: string;
  readonly err: string;
}

/** An executable made as `compile.sh` makes it, in a temporary folder with room for its files. */
async function build(): Promise<Program> {
  const folder = await Deno.makeTempDir({ prefix: "launcher-" });
  await Deno.mkdir(`${folder}/parts`);
  await Deno.writeTextFile(`${folder}/parts/deno`, RUNTIME, { mode: 0o755 });
  await Deno.writeTextFile(`${folder}/parts/ztunnel.js`, "");
  const tar = await new Deno.Command("tar", { args: ["-C", `${folder}/parts`, "-czf", "-", "deno", "ztunnel.js"] })
    .output();
  const script = (await Deno.readTextFile(new URL("launcher.sh", import.meta.url)))
    .replace("@ID@", "0123456789abcdef").replace("@OFFSET@", `${HEADER_SIZE + 1}`).replace("@FLAGS@", "-A");
  const whole = new Uint8Array(HEADER_SIZE + tar.stdout.length);
  assert.ok(new TextEncoder().encodeInto(script, whole).written < HEADER_SIZE);
  whole.set(tar.stdout, HEADER_SIZE);
  const path = `${folder}/ztunnel`;
  await Deno.writeFile(path, whole, { mode: 0o755 });
  return {
    folder,
    path,
    start: (env = { HOME: folder }, command = path) =>
      start(command, { PATH: "/usr/bin:/bin", TMPDIR: folder, ...env }),
    [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
  };
}

async function start(path: string, env: Record<string, string>): Promise<Started> {
  const command = new Deno.Command("sh", {
    args: ["-c", 'exec "$0" run-me "two words"', path],
    clearEnv: true,
    env,
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, pid: child.pid, out: text(stdout), err: text(stderr) };
}

function expected(program: Program, pid: number, home: string): string {
  const arguments_ = ["run", "-A", `${home}/ztunnel.js`, "run-me", "two words"];
  assert.ok(home.startsWith(program.folder));
  return [`pid ${pid}`, `cache ${home}/cache`, ...arguments_.map((text) => `arg ${text}`), ""].join("\n");
}

Deno.test("launcher: unpacks once; arguments, exit status and process id are the program's own", async () => {
  using program = await build();
  const home = `${program.folder}/.cache/ztunnel/0123456789abcdef`;
  for (const time of ["first", "second"]) {
    const run = await program.start();
    assert.equal(run.out, expected(program, run.pid, home), time);
    assert.equal(run.code, 7);
    await Deno.truncate(program.path, HEADER_SIZE); // no payload from here on
  }
  assert.equal((await Deno.stat(home)).mode! & 0o077, 0);
});

Deno.test("launcher: finds itself through a link and through PATH", async () => {
  using program = await build();
  await Deno.symlink(program.path, `${program.folder}/zt`);
  assert.equal((await program.start({ HOME: program.folder }, `${program.folder}/zt`)).code, 7);
  await Deno.remove(`${program.folder}/.cache`, { recursive: true });
  assert.equal((await program.start({ HOME: program.folder, PATH: `${program.folder}:/usr/bin:/bin` }, "zt")).code, 7);
});

Deno.test("launcher: many first starts at once all work and leave one folder", async () => {
  using program = await build();
  const runs = await Promise.all(Array.from({ length: 8 }, () => program.start()));
  assert.deepEqual(runs.map((run) => run.code), Array(8).fill(7), runs.map((run) => run.err).join(""));
  const left = [...Deno.readDirSync(`${program.folder}/.cache/ztunnel`)].map((entry) => entry.name);
  assert.deepEqual(left, ["0123456789abcdef"]);
});

Deno.test("launcher: unpacks into the first place that works", async () => {
  using program = await build();
  const where = async (env: Record<string, string>) =>
    /^cache (.*)\/0123456789abcdef/m.exec((await program.start(env)).out)?.[1];
  const { folder } = program;
  await Deno.writeTextFile(`${folder}/file`, "");
  assert.equal(await where({ HOME: folder, XDG_CACHE_HOME: `${folder}/xdg` }), `${folder}/xdg/ztunnel`);
  assert.equal(await where({ HOME: folder, ZTUNNEL_UNPACK_DIR: `${folder}/here` }), `${folder}/here`);
  const temporary = `${folder}/ztunnel-${Deno.uid()}`;
  assert.equal(await where({}), temporary);
  assert.equal(await where({ HOME: `${folder}/file` }), temporary);
});

Deno.test("launcher: an unusable ZTUNNEL_UNPACK_DIR is named", async () => {
  using program = await build();
  const run = await program.start({ ZTUNNEL_UNPACK_DIR: "/proc/nowhere" });
  assert.equal(run.code, 1);
  assert.match(run.err, /^ztunnel: ZTUNNEL_UNPACK_DIR "\/proc\/nowhere" must be/);
});

Deno.test("launcher: a linked folder in a shared place is not trusted", async () => {
  using program = await build();
  await Deno.mkdir(`${program.folder}/elsewhere`);
  await Deno.symlink(`${program.folder}/elsewhere`, `${program.folder}/ztunnel-${Deno.uid()}`);
  const run = await program.start({});
  assert.equal(run.code, 1);
  assert.match(run.err, /no writable folder/);
});

testNeeding({ root: true }, "launcher: another user's folder in a shared place is not trusted", async () => {
  using program = await build();
  await Deno.mkdir(`${program.folder}/ztunnel-0`, { mode: 0o777 });
  await Deno.chown(`${program.folder}/ztunnel-0`, 1, 1);
  assert.match((await program.start({})).err, /no writable folder/);
});

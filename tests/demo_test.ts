/** The demo, started like a new user does, with less data. */
import { strict as assert } from "node:assert";
import project from "../deno.json" with { type: "json" };
import { entries, isAlive } from "../lab/leftovers.ts";
import { inheritedEnvironment } from "../lab/environment.ts";
import { testNeeding } from "../lab/needs.ts";
import { eventually } from "../lab/eventually.ts";
import { Program } from "../lab/program.ts";
import { systemFileExists } from "../src/os/system_files.ts";

const ROOT = new URL("..", import.meta.url).pathname;
/** The command of the task after `deno`, with its permissions. */
const TASK = project.tasks.demo.command.split(" ").slice(1);

function demo(args: readonly string[], env: Readonly<Record<string, string>> = {}): Program {
  const options = { args: [...TASK, ...args], cwd: ROOT };
  return new Program(Deno.execPath(), { ...options, env: { ...inheritedEnvironment(), ...env } });
}

Deno.test("demo: every claim holds, and it ends by itself", async () => {
  await using program = demo(["--once", "--bytes=50MB"]);
  const { code, output } = await program.ended();
  assert.equal(code, 0, output);
  assert.match(output, /All \d+ claims were checked and hold/);
  assert.ok(!output.includes("\x1b"), "no colours in a pipe");
});

Deno.test("demo: runs until it gets SIGINT", async () => {
  await using program = demo(["--bytes=1MB"]);
  const [, folder = ""] = await program.line(/cat (\/\S+)\/mesh\.yaml/);
  assert.ok(Deno.statSync(folder).isDirectory);
  const pids = await Promise.all(["a", "b", "c"].map((name) => program.line(new RegExp(`node-${name} .*pid (\\d+)`))));
  const { code, output } = await program.stop("SIGINT");
  assert.equal(code, 0, output);
  assert.throws(() => Deno.statSync(folder), Deno.errors.NotFound);
  for (const [, pid] of pids) assert.equal(systemFileExists(`/proc/${pid}`), false);
});

testNeeding({ packages: ["script"] }, "demo: ends when its terminal is closed", async () => {
  const command = `${Deno.execPath()} run -A --no-prompt demo/main.ts --bytes=1MB`;
  const options = { args: ["-qec", command, "/dev/null"], cwd: ROOT, env: inheritedEnvironment() };
  await using terminal = new Program("script", options);
  const [, folder = ""] = await terminal.line(/cat (\/\S+)\/mesh\.yaml/);
  const pids = (await terminal.matches(/node-[abc] .*pid (\d+)/, 3)).map(([, pid]) => Number(pid));
  assert.ok(Deno.statSync(folder).isDirectory && pids.every(isAlive));
  await terminal.stop("SIGKILL");
  await eventually("the end of its folder", () => entries(folder).length === 0);
  assert.deepEqual(pids.filter(isAlive), []);
});

Deno.test("demo: ends when its parent process is killed, without a signal", async () => {
  const command = `${Deno.execPath()} run -A --no-prompt demo/main.ts --bytes=1MB; true`;
  await using shell = new Program("sh", { args: ["-c", command], cwd: ROOT, env: inheritedEnvironment() });
  const [, folder = ""] = await shell.line(/cat (\/\S+)\/mesh\.yaml/);
  const pids = (await shell.matches(/node-[abc] .*pid (\d+)/, 3)).map(([, pid]) => Number(pid));
  shell.signal("SIGKILL");
  await eventually("the end of its folder", () => entries(folder).length === 0);
  assert.deepEqual(pids.filter(isAlive), []);
});

Deno.test("demo: its proxies end when it is killed", async () => {
  await using program = demo(["--bytes=1MB"]);
  const [, folder = ""] = await program.line(/cat (\/\S+)\/mesh\.yaml/);
  const pids = (await program.matches(/node-[abc] .*pid (\d+)/, 3)).map(([, pid]) => Number(pid));
  await program.stop("SIGKILL");
  await eventually("the end of its proxies", () => !pids.some(isAlive));
  Deno.removeSync(folder, { recursive: true }); // the demo cannot do it any more
});

Deno.test("demo: it fails with the reason when a proxy does not start", async () => {
  await using program = demo(["--once", "--bytes=1MB"], { TLS_LIBRARY: "/nowhere/libssl.so" });
  const { code, output } = await program.ended();
  assert.equal(code, 1, output);
  assert.match(output, /node-[abc] ended with exit code 1/);
  assert.match(output, /\/nowhere\/libssl\.so/);
});

Deno.test("demo: a wrong command line prints what is wrong", async () => {
  await using program = demo(["--bytes=lots"]);
  const { code, output } = await program.ended();
  assert.equal(code, 2, output);
  assert.match(output, /--bytes "lots" must be/);
});

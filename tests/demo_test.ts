/** The demo as a newcomer starts it, with less to carry. */
import { strict as assert } from "node:assert";
import { Program } from "./support/program.ts";

const ROOT = new URL("..", import.meta.url).pathname;

/** Caches are where they are for this process, so that nothing is loaded again. */
function environment(): Record<string, string> {
  const names = ["DENO_DIR", "XDG_CACHE_HOME", "TLS_LIBRARY", "NPM_CONFIG_REGISTRY", "TMPDIR"];
  return Object.fromEntries(names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}

function demo(args: readonly string[], env: Readonly<Record<string, string>> = {}): Program {
  const options = { args: ["run", "-A", "--no-prompt", "demo/main.ts", ...args], cwd: ROOT };
  return new Program(Deno.execPath(), { ...options, env: { ...environment(), ...env } });
}

Deno.test("demo: every claim holds, and it ends by itself", async () => {
  await using program = demo(["--once", "--bytes=50MB"]);
  const { code, output } = await program.ended();
  assert.equal(code, 0, output);
  assert.match(output, /All \d+ claims were checked and hold/);
  assert.ok(!output.includes("\x1b"), "no colours in a pipe");
});

Deno.test("demo: stays up for more, and leaves when it is asked to", async () => {
  await using program = demo(["--bytes=1MB"]);
  const [, folder = ""] = await program.line(/cat (\/\S+)\/mesh\.yaml/);
  assert.ok(Deno.statSync(folder).isDirectory);
  const pids = await Promise.all(["a", "b", "c"].map((name) => program.line(new RegExp(`node-${name} .*pid (\\d+)`))));
  const { code, output } = await program.stop("SIGINT");
  assert.equal(code, 0, output);
  assert.throws(() => Deno.statSync(folder), Deno.errors.NotFound);
  for (const [, pid] of pids) assert.throws(() => Deno.statSync(`/proc/${pid}`), Deno.errors.NotFound);
});

Deno.test("demo: a proxy that does not start fails it with the reason", async () => {
  await using program = demo(["--once", "--bytes=1MB"], { TLS_LIBRARY: "/nowhere/libssl.so" });
  const { code, output } = await program.ended();
  assert.equal(code, 1, output);
  assert.match(output, /node-[abc] ended with exit code 1/);
  assert.match(output, /\/nowhere\/libssl\.so/);
});

Deno.test("demo: a wrong command line is told", async () => {
  await using program = demo(["--bytes=lots"]);
  const { code, output } = await program.ended();
  assert.equal(code, 2, output);
  assert.match(output, /--bytes "lots" must be/);
});

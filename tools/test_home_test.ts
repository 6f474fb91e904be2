import { strict as assert } from "node:assert";
import { clearDesertedHomes, TestHome } from "./test_home.ts";

/** Starts a program that outlives us. */
function start(env: Readonly<Record<string, string>>): Deno.ChildProcess {
  return new Deno.Command("sleep", { args: ["600"], env: { ...env } }).spawn();
}

Deno.test("test home: what is left is named, ended and removed", async () => {
  const home = new TestHome();
  const child = start({ TMPDIR: `${home.env.TMPDIR}/below` });
  Deno.writeTextFileSync(`${home.path}/forgotten`, "");
  const [process, ...files] = await home.clear(Deno.pid, 0);
  assert.match(process ?? "", new RegExp(`^process ${child.pid} \\(.*sleep 600\\)$`));
  assert.deepEqual(files, ["file forgotten"]);
  assert.equal((await child.status).signal, "SIGKILL");
  assert.throws(() => Deno.statSync(home.path), Deno.errors.NotFound);
});

Deno.test("test home: of others nothing is touched", async () => {
  const home = new TestHome(), other = new TestHome();
  const child = start(other.env);
  assert.deepEqual(await home.clear(Deno.pid), []);
  child.kill("SIGTERM");
  assert.equal((await child.status).signal, "SIGTERM");
  assert.deepEqual(await other.clear(Deno.pid), []);
});

Deno.test("test home: those whose owner is gone are cleared, and no others", async () => {
  const owner = start({});
  const temporary = Deno.env.get("TMPDIR") || "/tmp";
  const path = `${temporary}/zt-run-${owner.pid}-1`;
  Deno.mkdirSync(path);
  const child = start({ TMPDIR: path });
  await clearDesertedHomes();
  assert.ok(Deno.statSync(path).isDirectory);
  owner.kill("SIGKILL");
  await owner.status;
  await clearDesertedHomes(0);
  assert.equal((await child.status).signal, "SIGKILL");
  assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
});

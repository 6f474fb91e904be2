import { strict as assert } from "node:assert";
import { inheritedEnvironment } from "./environment.ts";
import { eventually } from "./eventually.ts";
import { Program, run } from "./program.ts";
import { readSystemFile } from "../src/os/system_files.ts";

/** The state letter of a process; empty where there is none. An orphan may stay a zombie for a while (Z). */
function stateOf(pid: number): string {
  try {
    return /\) (\w)/.exec(readSystemFile(`/proc/${pid}/stat`))?.[1] ?? "";
  } catch {
    return "";
  }
}

const shell = (script: string, env = {}) => new Program("sh", { args: ["-c", script], env });

Deno.test("program: waits for lines of both streams, past and future", async () => {
  await using program = shell("echo port 4711; echo ready >&2; exec tail -f /dev/null");
  assert.equal((await program.line(/^ready$/))[0], "ready");
  assert.equal((await program.line(/^port (\d+)$/))[1], "4711");
});

Deno.test("program: a watcher receives each further line, also those beyond the kept ones", async () => {
  await using program = new Program("sh", { args: ["-c", "for i in $(seq 6000); do echo line $i; done"] });
  const seen: string[] = [];
  program.watch((line) => seen.push(line));
  await program.ended();
  assert.deepEqual([seen.length, seen[0], seen.at(-1)], [6000, "line 1", "line 6000"]);
  assert.equal(program.printed.length, 5000);
});

Deno.test("program: an end before the expected line is an error with the output", async () => {
  await using program = shell("printf 'cannot bind'; exit 3");
  await assert.rejects(program.line(/ready/), /sh ended without printing \/ready\/; its last lines:\ncannot bind/);
  assert.equal((await program.ended()).code, 3);
});

Deno.test("program: ends by a signal, and with its scope together with its children", async () => {
  await using program = shell("trap 'echo bye; exit 5' TERM; echo up; while :; do :; done");
  await program.line(/up/);
  assert.deepEqual(await program.stop(), { code: 5, signal: null, output: "up\nbye" });
  let pid: number;
  {
    await using endless = shell("tail -f /dev/null & echo pid $!; wait");
    pid = Number((await endless.line(/pid (\d+)/))[1]);
  }
  assert.doesNotMatch(stateOf(pid), /^[RSD]/);
});

Deno.test("program: inherits no other variables", async () => {
  await using program = shell('echo "$CI,$GIVEN"', { GIVEN: "x" });
  assert.equal((await program.ended()).output, ",x");
});

Deno.test("program: run returns the output, or throws it", async () => {
  assert.equal(await run("echo", "a", "b"), "a b");
  await assert.rejects(run("sh", "-c", "echo no; exit 2"), /ended with 2: no/);
});

Deno.test("program: ends with the process that started it, also if that is killed", async () => {
  const support = new URL("program.ts", import.meta.url);
  const code =
    `import { Program } from "${support}"; console.log("pid " + new Program("sleep", { args: ["600"] }).pid);`;
  await using starter = new Program(Deno.execPath(), {
    args: ["eval", "--no-lock", `${code} setTimeout(() => {}, 600_000);`],
    env: inheritedEnvironment(),
  });
  const pid = Number((await starter.line(/^pid (\d+)$/))[1]);
  await eventually("its start", () => readSystemFile(`/proc/${pid}/comm`).trim() === "sleep");
  assert.match(stateOf(pid), /^[RSD]/);
  await starter.stop("SIGKILL");
  await eventually("its end", () => !/^[RSD]/.test(stateOf(pid)));
});

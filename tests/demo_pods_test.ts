/** The demo of pods, started like an operator does. */
import { strict as assert } from "node:assert";
import { inheritedEnvironment } from "../lab/environment.ts";
import { testNeeding } from "../lab/needs.ts";
import { Program, run } from "../lab/program.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const NEEDS = { namespaces: true, packages: ["curl", "iptables", "nginx"] } as const;

function demo(...args: readonly string[]): Program {
  const options = {
    args: ["run", "-A", "--no-prompt", "demo/pods.ts", ...args],
    cwd: ROOT,
    env: inheritedEnvironment(),
  };
  return new Program(Deno.execPath(), options);
}

/** Namespaces of a demo, whose names carry its process id. */
async function namespacesOf(pid: number): Promise<string[]> {
  const names = (await run("ip", "netns", "list")).split("\n").map((line) => line.split(" ")[0] ?? "");
  return names.filter((name) => name.includes(`-${pid}-`));
}

testNeeding(NEEDS, "demo:pods: every claim holds, and everything is removed", async () => {
  await using program = demo("--once");
  const { code, output } = await program.ended();
  assert.equal(code, 0, output);
  assert.match(output, /All \d+ claims were checked and hold/);
  assert.deepEqual(await namespacesOf(program.pid), []);
});

testNeeding(NEEDS, "demo:pods: runs until it gets SIGINT", async () => {
  await using program = demo();
  await program.line(/Ctrl-C ends the demo/);
  assert.ok((await namespacesOf(program.pid)).length > 4);
  const { code, output } = await program.stop("SIGINT");
  assert.equal(code, 0, output);
  assert.deepEqual(await namespacesOf(program.pid), []);
});

testNeeding(NEEDS, "demo:pods: an interruption while it is built removes everything", async () => {
  await using program = demo();
  await program.line(/two nodes, their pods/);
  const { code, output } = await program.stop("SIGINT");
  assert.equal(code, 130, output);
  assert.deepEqual(await namespacesOf(program.pid), []);
});

Deno.test("demo:pods: a wrong command line prints the usage", async () => {
  await using program = demo("--bytes=lots");
  const { code, output } = await program.ended();
  assert.equal(code, 2, output);
  assert.match(output, /usage: deno task demo:pods/);
});

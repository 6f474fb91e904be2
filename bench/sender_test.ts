import { strict as assert } from "node:assert";
import type { GroupResult, SenderPlan } from "./sender.ts";

const script = (name: string) => new URL(name, import.meta.url).pathname;

/** Below the range from which the kernel chooses ports. */
const NOBODYS_PORT = 1;

/** Starts a script of this folder and reads its output line by line; `kill` ends both. */
function start(name: string, ...args: string[]): { child: Deno.ChildProcess; lines: () => Promise<string> } {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", "--no-check", script(name), ...args],
    stdout: "piped",
    stderr: "inherit",
  });
  const child = command.spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const lines = async () => {
    while (!text.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`${name} ended`);
      text += value;
    }
    const end = text.indexOf("\n");
    const line = text.slice(0, end);
    text = text.slice(end + 1);
    return line;
  };
  return { child, lines };
}

async function run(port: number, groups: SenderPlan["groups"]): Promise<GroupResult[]> {
  const plan: SenderPlan = { host: "127.0.0.1", port, seconds: 1, groups };
  const { child, lines } = start("sender.ts", JSON.stringify(plan));
  try {
    assert.equal(await lines(), "ready");
    return JSON.parse(await lines());
  } finally {
    child.kill("SIGKILL");
    await child.status;
    await child.stdout.cancel().catch(() => {});
  }
}

Deno.test("sender: every message of each group comes back from the echo", { sanitizeResources: false }, async () => {
  const echo = start("echo.ts", "127.0.0.1", "0");
  try {
    const port = Number((await echo.lines()).replace("ready ", ""));
    const [all, some, idle] = await run(port, [
      { connections: 40, everyMillis: 500, pick: null },
      { connections: 10, everyMillis: 500, pick: 3 },
      { connections: 5, everyMillis: 0, pick: null },
    ]);
    for (const group of [all, some]) {
      assert.equal(group?.failed, 0);
      assert.equal(group?.answered, group?.sent);
    }
    assert.ok(all!.sent > 0 && all!.sent % 40 === 0, `${all!.sent} messages`);
    assert.equal(some!.sent % 3, 0);
    assert.deepEqual([idle?.sent, idle?.failed, idle?.closed], [0, 0, 0]);
  } finally {
    echo.child.kill("SIGKILL");
    await echo.child.status;
  }
});

Deno.test("sender: connections to a closed port are counted as failed", { sanitizeResources: false }, async () => {
  const [group] = await run(NOBODYS_PORT, [{ connections: 3, everyMillis: 0, pick: null }]);
  assert.equal(group?.failed, 3);
});

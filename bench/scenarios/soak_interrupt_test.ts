/** Ctrl-C ends `deno task soak`, while its network is built and while the load runs, and leaves nothing. */
import { strict as assert } from "node:assert";
import process from "node:process";
import { eventually } from "../../lab/eventually.ts";
import { entries, isAlive } from "../../lab/leftovers.ts";
import { testNeeding } from "../../lab/needs.ts";
import { Program } from "../../lab/program.ts";
import { tempDir } from "../../lab/temp_dir.ts";
import { readSystemFile, readSystemFolder } from "../../src/os/system_files.ts";

const INTERRUPTED = 130;

/** A process and all that it has started, by their parents. */
function family(pid: number): number[] {
  const parents = readSystemFolder("/proc").filter((name) => /^\d+$/.test(name)).map((
    name,
  ) => [Number(name), parentOf(name)]);
  const found = [pid];
  for (const one of found) found.push(...parents.filter(([, parent]) => parent === one).map(([child]) => child!));
  return found;
}

function parentOf(pid: string): number {
  try {
    return Number(readSystemFile(`/proc/${pid}/stat`).split(") ").at(-1)!.split(" ")[1]);
  } catch {
    return 0;
  }
}

/** The network namespaces that these processes have made, whose names contain their maker's pid. */
function namespacesOf(pids: readonly number[]): string[] {
  return entries("/run/netns").filter((name) => pids.includes(Number(name.split("-").at(-2))));
}

const isBuilding = (soak: Program) =>
  eventually("a network namespace of the run", () => namespacesOf(family(soak.pid)).length > 0);
const isRunning = (soak: Program) => soak.line(/proxies are ready/);

for (const [when, begun] of [["while it is built", isBuilding], ["while it runs", isRunning]] as const) {
  testNeeding(
    { namespaces: true, packages: ["curl", "dnsmasq", "iptables"] },
    `soak: Ctrl-C ${when} ends it with status 130 and leaves no process and no namespace`,
    async () => {
      using folder = tempDir();
      const args = ["task", "soak", "--minutes=60", `--out=${folder.path}`];
      await using soak = new Program(Deno.execPath(), { args });
      await begun(soak);
      const pids = family(soak.pid);
      // As a terminal does: to all processes of the group.
      process.kill(-soak.pid, "SIGINT");
      const { code, output } = await soak.ended();
      assert.equal(code, INTERRUPTED, output);
      assert.deepEqual(pids.filter(isAlive), []);
      assert.deepEqual(namespacesOf(pids), []);
      assert.deepEqual([...Deno.readDirSync(folder.path)].filter(({ name }) => name.startsWith("soak")), []);
    },
  );
}

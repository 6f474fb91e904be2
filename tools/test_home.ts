/**
 * The home of a test process: a folder for its temporary files, by which everything is known that it leaves behind. Who
 * has the folder in its environment was started by that process, or by what it started.
 */
import { readSystemFile } from "../src/os/system_files.ts";
import { entries, isAlive, removeLeftovers } from "../lab/leftovers.ts";

/** How long those may take who are killed together with the test process. */
const GRACE_MS = 2000;
const PAUSE_MS = 10;
/** `zt-run-PID-N`, after the process that owns the homes. */
const HOME = /^zt-run-(\d+)-\d+$/;

let opened = 0;

export class TestHome {
  readonly path = `${temporary()}/zt-run-${Deno.pid}-${++opened}`;

  constructor() {
    Deno.mkdirSync(this.path);
  }

  /** For the test process. */
  get env(): { TMPDIR: string } {
    return { TMPDIR: this.path };
  }

  /**
   * When the test process `pid` has ended: ends and removes all that it left, and says what that was. Who is on the way
   * out gets `graceMs` for it.
   */
  async clear(pid: number, graceMs: number = GRACE_MS): Promise<string[]> {
    const processes = await endAll(this.path, graceMs);
    const files = entries(this.path).map((name) => `file ${name}`);
    Deno.removeSync(this.path, { recursive: true });
    const others = removeLeftovers().filter(({ owner }) => owner === pid).map(({ what }) => what);
    return [...processes, ...files, ...others];
  }
}

/** Ends and removes what test commands left that were killed themselves. */
export async function clearDesertedHomes(graceMs: number = GRACE_MS): Promise<void> {
  for (const name of entries(temporary())) {
    const owner = HOME.exec(name)?.[1];
    if (owner === undefined || isAlive(Number(owner))) continue;
    const path = `${temporary()}/${name}`;
    await endAll(path, graceMs);
    Deno.removeSync(path, { recursive: true });
  }
  removeLeftovers();
}

function temporary(): string {
  return Deno.env.get("TMPDIR") || "/tmp";
}

/** Who belongs to the home still, after a while; they are killed. */
async function endAll(home: string, graceMs: number): Promise<string[]> {
  await gone(home, graceMs);
  const left = membersOf(home);
  for (const pid of left.keys()) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch {
      // it has ended meanwhile
    }
  }
  await gone(home, GRACE_MS);
  return [...left].map(([pid, command]) => `process ${pid} (${command})`);
}

/** Waits until nobody belongs to the home, not for long. */
async function gone(home: string, graceMs: number): Promise<void> {
  for (const end = performance.now() + graceMs; membersOf(home).size > 0 && performance.now() < end;) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Command lines by process id. */
function membersOf(home: string): Map<number, string> {
  const found = new Map<number, string>();
  for (const pid of entries("/proc").map(Number).filter((id) => id > 0)) {
    const folder = words(pid, "environ").find((word) => word.startsWith("TMPDIR="))?.slice("TMPDIR=".length);
    if (folder === home || folder?.startsWith(`${home}/`)) {
      found.set(pid, words(pid, "cmdline").join(" ").slice(0, 120));
    }
  }
  return found;
}

/** None for a process that has ended, or is another user's. */
function words(pid: number, file: "environ" | "cmdline"): string[] {
  try {
    return readSystemFile(`/proc/${pid}/${file}`).split("\0").filter((word) => word !== "");
  } catch {
    return [];
  }
}

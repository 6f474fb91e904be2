/**
 * Tests that need more than Deno: other programs, root, a peer.
 *
 * A test that cannot run is registered as skipped, with reason and cure in its name, and the test command lists it. In
 * CI (`CI=true`) packages and root are required, so that their absence is a failure; peers that are named by an
 * environment variable stay optional.
 */

import { existsSync } from "node:fs";
import { canOpenSystemFile } from "../src/os/system_files.ts";
import { type CommandName, findCommand, INSTALLED, type Programs } from "./commands.ts";
import { ControlGroup } from "./control_group.ts";

/** Files of C libraries, and the Debian package that contains each. */
const HEADERS = { "/usr/include/zlib.h": "zlib1g-dev" } as const;

/** The requirements of a test. */
export interface Needs {
  /** Commands that must be installed and meet their requirements (`commands.ts`). */
  readonly packages?: readonly CommandName[];
  /** Headers of C libraries. */
  readonly headers?: readonly (keyof typeof HEADERS)[];
  /** Effective user id 0. */
  readonly root?: boolean;
  /** The right to make network namespaces. Implies root and `ip`. */
  readonly namespaces?: boolean;
  /** Permission to create TUN devices. */
  readonly tun?: boolean;
  /** Permission to make control groups with limits of memory and CPU time. */
  readonly controlGroups?: boolean;
  /** Environment variables that must be set, such as `ZTUNNEL_PEER`. */
  readonly env?: readonly string[];
  /** The Go toolchain, for peers that are built from source. */
  readonly go?: boolean;
}

/** A requirement that is not met. `duty`: CI has to provide it. */
export interface Lack {
  readonly reason: string;
  readonly cure: string;
  readonly duty: boolean;
}

/** The properties of the machine. Tests replace it. */
export interface Machine extends Programs {
  readonly uid: number | null;
  readonly canMakeNamespaces: () => boolean;
  readonly canMakeTun: () => boolean;
  /** Null: it can make them. Else the reason. */
  readonly refusesControlGroups: () => string | null;
  readonly hasFile: (path: string) => boolean;
  readonly env: (name: string) => string | undefined;
}

/** Returns the requirements that are not met, in the order of {@link Needs}. */
export function lacks(needs: Needs, machine: Machine = thisMachine): Lack[] {
  const found: Lack[] = [];
  const commands: readonly CommandName[] = [...needs.packages ?? [], ...(needs.namespaces ? ["ip" as const] : [])];
  for (const name of new Set(commands)) {
    const command = findCommand(name, machine);
    if (!command.ok) found.push({ reason: command.reason, cure: command.cure, duty: true });
  }
  for (const header of needs.headers ?? []) {
    if (machine.hasFile(header)) continue;
    found.push({ reason: `${header} is missing`, cure: `apt-get install ${HEADERS[header]}`, duty: true });
  }
  if ((needs.root || needs.namespaces) && machine.uid !== 0) {
    found.push({ reason: "not root", cure: "run as root", duty: true });
  } else if (needs.namespaces && !machine.canMakeNamespaces()) {
    const cure = "run where CAP_SYS_ADMIN is granted";
    found.push({ reason: "network namespaces are not permitted", cure, duty: false });
  }
  if (needs.tun && !machine.canMakeTun()) {
    const cure = "load the kernel module tun and make the device readable";
    found.push({ reason: "/dev/net/tun cannot be opened", cure, duty: false });
  }
  const refusal = needs.controlGroups ? machine.refusesControlGroups() : null;
  if (refusal !== null) {
    const cure = "run as root where /sys/fs/cgroup is writable and has the controllers memory and cpu";
    found.push({ reason: `control groups cannot be made (${refusal})`, cure, duty: false });
  }
  for (const name of needs.env ?? []) {
    if (machine.env(name)) continue;
    found.push({ reason: `${name} is not set`, cure: ENVIRONMENT[name] ?? `set ${name}`, duty: false });
  }
  if (needs.go && !machine.has("go")) {
    found.push({ reason: "go is missing", cure: "install Go 1.24 or later", duty: false });
  }
  return found;
}

const ENVIRONMENT: Readonly<Record<string, string>> = {
  ZTUNNEL_PEER: "set it to the path of a Rust ztunnel built with --features testing",
};

/** Registers a test that runs only where `needs` are met. */
export function testNeeding(
  needs: Needs,
  name: string,
  fn: (t: Deno.TestContext) => void | Promise<void>,
  options: Partial<Pick<Deno.TestDefinition, "sanitizeOps" | "sanitizeResources" | "sanitizeExit">> = {},
): void {
  Deno.test({ ...options, ...plan(lacks(needs), name, fn, Deno.env.get("CI") === "true") });
}

/** Returns what to register: the test, a skipped test, or in CI a test that fails. */
export function plan(
  missing: readonly Lack[],
  name: string,
  fn: (t: Deno.TestContext) => void | Promise<void>,
  ci: boolean,
): Deno.TestDefinition {
  if (missing.length === 0) return { name, fn };
  const text = missing.map(({ reason, cure }) => `${reason}; ${cure}`).join(", ");
  const isRequired = ci && missing.some((lack) => lack.duty);
  if (!isRequired) return { name: `${name} [skipped: ${text}]`, ignore: true, fn };
  return {
    name,
    fn() {
      throw new Error(`Cannot run in CI: ${text}`);
    },
  };
}

const thisMachine: Machine = {
  ...INSTALLED,
  uid: Deno.uid(),
  canMakeNamespaces: once(() => new Deno.Command("unshare", { args: ["-n", "true"] }).outputSync().success),
  canMakeTun: once(() => canOpenSystemFile("/dev/net/tun")),
  refusesControlGroups: once(() => {
    try {
      ControlGroup.create(`zt-check-${Deno.pid}`, { memoryBytes: 1 << 26, milliCpu: 100 }).remove();
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : `${error}`;
    }
  }),
  hasFile: (path) => existsSync(path),
  env: (name) => Deno.env.get(name),
};

function once<T>(check: () => T): () => T {
  let result: { readonly value: T } | undefined;
  return () => (result ??= { value: check() }).value;
}

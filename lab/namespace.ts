/** Network namespaces for tests, joined by veth pairs. Tests declare `testNeeding({ namespaces: true }, …)`. */
import { removeLeftovers } from "./leftovers.ts";
import { run } from "./program.ts";

/** A named namespace whose loopback interface is up. Its interfaces are deleted with it. */
export interface Namespace extends AsyncDisposable {
  /** For `ip netns exec`, and `Program`'s `namespace`. */
  readonly name: string;
  /** The file to open for `setns`. */
  readonly path: string;
  /** Runs a program inside and returns its output; throws unless it succeeds. */
  run(command: string, ...args: readonly string[]): Promise<string>;
}

/** The number of namespaces and links so far. Names consist of the pid and this counter. */
let count = 0;

/**
 * Makes a namespace and calls `prepare` with it; the first call removes those that killed processes have left. `hint`: part
 * of its name. Where it fails, because Ctrl-C has ended `ip` too, for example, nothing of the namespace is left.
 */
export async function makeNamespace(
  hint: string,
  prepare: (made: Namespace) => Promise<void> = () => Promise.resolve(),
): Promise<Namespace> {
  if (count === 0) removeLeftovers();
  const name = `zt-${hint}-${Deno.pid}-${++count}`;
  const namespace: Namespace = {
    name,
    path: `/run/netns/${name}`,
    run: (command, ...args) => run("ip", "netns", "exec", name, command, ...args),
    [Symbol.asyncDispose]: async () => void await run("ip", "netns", "del", name),
  };
  try {
    await run("ip", "netns", "add", name);
    await run("ip", "-n", name, "link", "set", "lo", "up");
    await prepare(namespace);
    return namespace;
  } catch (error) {
    await namespace[Symbol.asyncDispose]().then(undefined, () => {}); // it may not have been made
    throw error;
  }
}

/** One end of a link with its addresses (`10.1.0.1/24`, `fd00::1/64`). */
interface End {
  readonly in: Namespace;
  readonly addresses: readonly string[];
}

/** Joins two namespaces by a veth pair. IPv6 addresses are usable at once, without duplicate address detection. */
export async function join(a: End, b: End): Promise<void> {
  const id = `${Deno.pid}-${++count}`;
  const names = [`va${id}`.slice(-15), `vb${id}`.slice(-15)] as const;
  await run("ip", "-n", a.in.name, "link", "add", names[0], "type", "veth", "peer", names[1], "netns", b.in.name);
  await configure(a, names[0]);
  await configure(b, names[1]);
}

async function configure(end: End, device: string): Promise<void> {
  for (const address of end.addresses) {
    const nodad = address.includes(":") ? ["nodad"] : [];
    await run("ip", "-n", end.in.name, "address", "add", address, "dev", device, ...nodad);
  }
  await run("ip", "-n", end.in.name, "link", "set", device, "up");
}

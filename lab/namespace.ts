/** Network namespaces for scenarios, joined by veth pairs. Needs `testNeeding({ namespaces: true }, …)`. */
import { removeDeserted } from "./deserted.ts";
import { run } from "./program.ts";

/** A named namespace with its loopback up. Its interfaces vanish with it. */
export interface Namespace extends AsyncDisposable {
  /** For `ip netns exec`, and `Program`'s `namespace`. */
  readonly name: string;
  /** Opened, it gives the descriptor for `setns`. */
  readonly path: string;
  /** Runs a program inside to its end; throws unless it succeeds. */
  run(command: string, ...args: readonly string[]): Promise<string>;
}

/** Names are unique on the machine: process id and a counter. Such of processes that were killed go at our first one. */
let made = 0;

export async function makeNamespace(hint: string): Promise<Namespace> {
  if (made === 0) removeDeserted();
  const name = `zt-${hint}-${Deno.pid}-${++made}`;
  await run("ip", "netns", "add", name);
  await run("ip", "-n", name, "link", "set", "lo", "up");
  return {
    name,
    path: `/run/netns/${name}`,
    run: (command, ...args) => run("ip", "netns", "exec", name, command, ...args),
    [Symbol.asyncDispose]: async () => void await run("ip", "netns", "del", name),
  };
}

/** One end of a link: where, and with which addresses (`10.1.0.1/24`, `fd00::1/64`). */
export interface End {
  readonly in: Namespace;
  readonly addresses: readonly string[];
}

/** Joins two namespaces by a veth pair. IPv6 addresses are usable at once (no duplicate address detection). */
export async function join(a: End, b: End): Promise<void> {
  const id = `${Deno.pid}-${++made}`;
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

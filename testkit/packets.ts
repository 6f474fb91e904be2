/** Packets that tcpdump sees in a network namespace. */
import { commandName } from "../lab/commands.ts";
import type { Namespace } from "../lab/namespace.ts";
import { Program } from "../lab/program.ts";

/** Packets that tcpdump sees on one interface of a namespace. */
class Capture implements AsyncDisposable {
  readonly #tcpdump: Program;

  private constructor(tcpdump: Program) {
    this.#tcpdump = tcpdump;
  }

  /** Begins to capture. `filter` is in the language of pcap; `options` are further ones of tcpdump. */
  static async start(
    where: Namespace,
    device: string,
    filter: string,
    options: readonly string[] = [],
  ): Promise<Capture> {
    const args = ["-i", device, "-n", "-l", "--immediate-mode", ...options, filter];
    const capture = new Capture(new Program("tcpdump", { args, namespace: where.name }));
    await capture.#tcpdump.line(/^listening on /);
    return capture;
  }

  /**
   * The lines of all packets so far. `last` causes a packet that the filter accepts and `pattern` matches; when it is
   * seen, so is every packet before it.
   */
  async packets(last: () => Promise<unknown>, pattern: RegExp): Promise<string[]> {
    await last();
    await this.#tcpdump.line(pattern);
    const first = this.#tcpdump.printed.findIndex((line) => line.startsWith("listening on "));
    const end = this.#tcpdump.printed.findIndex((line) => pattern.test(line));
    return this.#tcpdump.printed.slice(first + 1, end);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#tcpdump[Symbol.asyncDispose]();
  }
}

const PODS_OF_NODE_1 = "net 10.1.0.0/16", PODS_OF_NODE_2 = "net 10.2.0.0/16";
const HBONE = 15008;

/** Captures what passes between pods of different nodes of the bed; `wire` is the namespace of node 1. */
export function captureWire(wire: Namespace, filter: string, options: readonly string[] = []): Promise<Capture> {
  return Capture.start(wire, "eth0", `${PODS_OF_NODE_1} and ${PODS_OF_NODE_2} and ${filter}`, options);
}

/** The lines so far of a capture of the wire that accepts this port. */
export function packetsOfWire(capture: Capture, wire: Namespace, port = UNUSED): Promise<string[]> {
  const last = () => knock(wire, `-s 10.1.0.1 10.2.0.1 ${port}`);
  return capture.packets(last, new RegExp(`10\\.1\\.0\\.1\\.\\d+ > 10\\.2\\.0\\.1\\.${port}: Flags \\[S\\]`));
}

/** Captures what is sent between pods other than by HBONE. */
export const captureOutsideTunnels = (wire: Namespace) => captureWire(wire, `not tcp port ${HBONE}`);

/** Captures the resets in a pod, except those of connections between proxies. */
export const captureResets = (pod: Namespace) =>
  Capture.start(pod, "any", `tcp[tcpflags] & tcp-rst != 0 and not tcp port ${HBONE}`);

/** The packets with RST so far. */
export function resetsOf(capture: Capture, pod: Namespace): Promise<string[]> {
  return capture.packets(() => knock(pod, `127.0.0.1 ${UNUSED}`), /127\.0\.0\.1\.9 > 127\.0\.0\.1\.\d+: Flags \[R/);
}

/** A port at which nobody listens. */
const UNUSED = 9;

/** One attempt to connect, which is refused. */
async function knock(where: Namespace, target: string): Promise<void> {
  await where.run("sh", "-c", `${commandName("nc")} -n -z ${target}; true`);
}

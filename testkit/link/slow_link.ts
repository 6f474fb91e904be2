/**
 * A link with delay, rate, losses, changes of order, duplicates and outages between two network namespaces, in place of a veth pair: for kernels
 * without netem, and for changes at a chosen moment that netem cannot make. It relays IP packets, so TCP stays end to
 * end.
 *
 *     namespace a ── TUN device ──▶ relay thread: queue with due times ──▶ TUN device ── namespace b
 *                 ◀──                        and the same back         ◀──
 */
import { type LinkConditions, MTU } from "./delayed_packets.ts";
import { run } from "../../lab/program.ts";
import { LinkState, SharedLinkState } from "./slow_link_state.ts";
import type { RelayOrder, RelayReport } from "./slow_link_worker.ts";

export type { LinkConditions } from "./delayed_packets.ts";

/** Name of the device in either namespace. */
export const LINK_DEVICE = "link0";

/** One end: its namespace and its addresses (`10.1.0.1/24`, `fd00::1/64`). An `End` of `namespace.ts` is one. */
interface LinkEnd {
  readonly in: { readonly path: string };
  readonly addresses: readonly string[];
}

/** The conditions of a link without any settings. */
const PERFECT: LinkConditions = {
  delayMillis: 0,
  bitsPerSecond: null,
  queueBytes: 128 * 1024,
  lossShare: 0,
  reorderShare: 0,
  duplicateShare: 0,
  largestPacket: MTU,
};

/** Packets that a device queues for the relay: half a second's worth, in case the relay has to wait for a CPU. */
const DEVICE_QUEUE = 16_384;

/** The link. Disposing of it ends the relay thread and removes the devices. */
export class SlowLink implements AsyncDisposable {
  readonly #shared = new SharedLinkState();
  readonly #worker = new Worker(new URL("slow_link_worker.ts", import.meta.url), { type: "module" });
  readonly #opened = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();

  private constructor(ends: readonly [LinkEnd, LinkEnd], conditions: Partial<LinkConditions>) {
    this.change(conditions);
    this.#worker.onmessage = ({ data }: MessageEvent<RelayReport>) => this.#onReport(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#onReport({ kind: "ended", error: event.message });
    };
    const namespaces = [ends[0].in.path, ends[1].in.path] as const;
    this.#worker.postMessage({ memory: this.#shared.memory, namespaces, device: LINK_DEVICE } satisfies RelayOrder);
  }

  /**
   * Joins two namespaces; at most one such link for each. Needs root and `/dev/net/tun`. Throws where a device cannot
   * be made or configured. The link must be disposed of before the namespaces.
   */
  static async join(a: LinkEnd, b: LinkEnd, conditions: Partial<LinkConditions> = {}): Promise<SlowLink> {
    const link = new SlowLink([a, b], conditions);
    try {
      await link.#opened.promise;
      for (const end of [a, b]) await configure(end);
      return link;
    } catch (error) {
      await link[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Applies to packets sent from now on, both ways. Settings that are left out are those of a perfect link. */
  change(conditions: Partial<LinkConditions>): void {
    this.#shared.conditions = { ...PERFECT, ...conditions };
  }

  /** Drops everything, including packets in flight, without notice to either side. */
  down(): void {
    this.#shared.state = LinkState.Down;
  }

  /** Delivers packets again. */
  up(): void {
    this.#shared.state = LinkState.Up;
  }

  /** Packets of both directions so far. */
  get counts(): { readonly delivered: number; readonly dropped: number } {
    return this.#shared.counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#shared.state = LinkState.Ending;
    await this.#ended.promise;
    this.#worker.terminate();
  }

  #onReport(report: RelayReport): void {
    switch (report.kind) {
      case "open":
        return this.#opened.resolve();
      case "ended":
        this.#opened.reject(new Error(`Cannot join the namespaces by a slow link: ${report.error}`));
        return this.#ended.resolve();
      default:
        return report satisfies never;
    }
  }
}

async function configure({ in: { path }, addresses }: LinkEnd): Promise<void> {
  const ip = (...words: string[]) => run("nsenter", `--net=${path}`, "--", "ip", ...words);
  for (const address of addresses) {
    // IPv6 addresses are usable at once: no duplicate address detection.
    const nodad = address.includes(":") ? ["nodad"] : [];
    await ip("address", "add", address, "dev", LINK_DEVICE, ...nodad);
  }
  await ip("link", "set", LINK_DEVICE, "mtu", `${MTU}`, "txqueuelen", `${DEVICE_QUEUE}`, "up");
}

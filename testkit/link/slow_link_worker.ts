/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />
/** The relay thread of a {@link SlowLink}: moves packets between two TUN devices until it is stopped. */
import { libc } from "../../src/os/libc.ts";
import { DelayedPackets, type LinkConditions, MTU } from "./delayed_packets.ts";
import { LinkState, SharedLinkState } from "./slow_link_state.ts";
import { openTun } from "./tun_device.ts";

/** The first and only message to the relay thread. */
export interface RelayOrder {
  readonly memory: SharedArrayBuffer;
  /** Paths of the two network namespaces. */
  readonly namespaces: readonly [string, string];
  /** Name of the device in each. */
  readonly device: string;
}

/** Messages of the relay thread: the devices exist; the thread has ended, with an error if it failed. */
export type RelayReport = { readonly kind: "open" } | { readonly kind: "ended"; readonly error: string | null };

const { ppoll, setpriority } = Deno.dlopen("libc.so.6", {
  ppoll: { parameters: ["buffer", "u32", "buffer", "pointer"], result: "i32" },
  setpriority: { parameters: ["i32", "u32", "i32"], result: "i32" },
}).symbols;

const PRIO_PROCESS = 0, POLLIN = 1;
/** Lowers the relay's priority: it must not slow down the programs under test, with which it shares the CPUs. */
const NICENESS = -15;
/** Most packets that are read from one device in a turn. */
const BATCH = 512;
/**
 * Pause after a turn that moved packets, whether or not more have arrived: then a turn moves many packets, instead of
 * one for each wake-up. The pause is part of a packet's delay, usually once at either end.
 */
const PAUSE_MILLIS = 0.2;
/** Longest wait, and so the longest time until an idle relay notices that it must end. */
const IDLE_MILLIS = 50;

/** One direction of the link. */
class Direction {
  readonly #packets: DelayedPackets;

  constructor(readonly from: number, readonly to: number, seed: number) {
    this.#packets = new DelayedPackets(seed);
  }

  get dueAt(): number {
    return this.#packets.dueAt;
  }

  /** Reads the packets that have arrived, and counts those that were accepted and those that were dropped. */
  read(now: number, conditions: LinkConditions, up: boolean): [taken: number, dropped: number] {
    let taken = 0, dropped = 0;
    for (let n = 0; n < BATCH; n++) {
      const length = libc.read(this.from, this.#packets.space, MTU);
      if (length <= 0) break;
      if (up && this.#packets.accept(length, now, conditions)) taken++;
      else dropped++;
    }
    return [taken, dropped];
  }

  /** Delivers due packets, or drops all in flight. Returns how many packets that were. */
  deliver(now: number, up: boolean): number {
    let count = 0;
    for (; this.#packets.dueAt <= (up ? now : Number.MAX_VALUE); count++) {
      if (up) libc.write(this.to, this.#packets.first, this.#packets.firstLength);
      this.#packets.removeFirst();
    }
    return count;
  }
}

/** Waits for packets with ppoll(2). */
class Waiting {
  readonly #polled: Uint8Array<ArrayBuffer>;
  readonly #time = new BigInt64Array(2);
  readonly #timeBytes = new Uint8Array(this.#time.buffer);

  constructor(descriptors: readonly number[]) {
    // struct pollfd of poll(2): descriptor, requested events, returned events.
    this.#polled = new Uint8Array(8 * descriptors.length);
    const view = new DataView(this.#polled.buffer);
    descriptors.forEach((descriptor, index) => {
      view.setInt32(8 * index, descriptor, true);
      view.setInt16(8 * index + 4, POLLIN, true);
    });
  }

  /** Returns after `millis` at the latest, below a second. */
  forPackets(millis: number): void {
    this.#wait(this.#polled.length / 8, millis);
  }

  /** Sleeps. */
  pause(millis: number): void {
    this.#wait(0, millis);
  }

  #wait(descriptors: number, millis: number): void {
    this.#time[1] = BigInt(Math.round(millis * 1e6));
    ppoll(this.#polled, descriptors, this.#timeBytes, null);
  }
}

function relay(shared: SharedLinkState, a: number, b: number): void {
  const directions = [new Direction(a, b, 1), new Direction(b, a, 2)];
  const waiting = new Waiting([a, b]);
  for (;;) {
    const state = shared.state;
    if (state === LinkState.Ending) return;
    const up = state === LinkState.Up, conditions = shared.conditions, now = performance.now();
    let moved = 0, next = Infinity;
    for (const direction of directions) {
      const [taken, dropped] = direction.read(now, conditions, up);
      const delivered = direction.deliver(now, up);
      if (delivered + dropped > 0) shared.count(up ? delivered : 0, dropped + (up ? 0 : delivered));
      moved += taken + delivered + dropped;
      next = Math.min(next, direction.dueAt);
    }
    if (moved > 0) waiting.pause(PAUSE_MILLIS);
    else waiting.forPackets(Math.min(Math.max(next - performance.now(), 0), IDLE_MILLIS));
  }
}

function work({ memory, namespaces: [a, b], device }: RelayOrder): void {
  const open: number[] = [];
  try {
    open.push(openTun(a, device));
    open.push(openTun(b, device));
    report({ kind: "open" });
    // For this thread only (setpriority(2), "C library/kernel differences"). Without permission the link may be slower.
    setpriority(PRIO_PROCESS, 0, NICENESS);
    relay(new SharedLinkState(memory), open[0]!, open[1]!);
    report({ kind: "ended", error: null });
  } catch (error) {
    report({ kind: "ended", error: error instanceof Error ? error.message : String(error) });
  } finally {
    for (const descriptor of open) libc.close(descriptor);
    self.close();
  }
}

function report(message: RelayReport): void {
  self.postMessage(message);
}

self.onmessage = ({ data }: MessageEvent<RelayOrder>) => work(data);

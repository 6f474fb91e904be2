/**
 * Enables TCP keepalive of dialled sockets 15 to 30 seconds after the dial. This saves short connections four system calls
 * (`docs/spec/dataplane-speed.md` 5). Keepalive starts after minutes without data, so the delay has no effect; when the
 * setting is shorter than that, keepalive is enabled at once.
 */
import type { Millis, Timer } from "./clock.ts";
import * as c from "../os/constants.ts";
import { setOption } from "../os/socket.ts";
import type { Scheduler, SocketOptions } from "./network.ts";
import { NumberMap } from "./number_map.ts";

type Keepalive = NonNullable<SocketOptions["keepalive"]>;

const DELAY: Millis = 15_000;
/** Sockets of one turn. Without a limit, thousands that were dialled together took 30 ms. */
const PORTION = 64;

interface Waiting {
  readonly fd: number;
  readonly keepalive: Keepalive;
  readonly since: Millis;
}

/** The dialled sockets of one event loop that have no keepalive yet. */
export class LateKeepalive {
  readonly #scheduler: Scheduler;
  readonly #waiting = new NumberMap<Waiting>();
  #timer: Timer | null = null;
  /** Sockets are being handled, from the first portion to the last. */
  #sweeping = false;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Enables `keepalive` on `fd`, now or within half a minute. */
  add(fd: number, keepalive: Keepalive): void {
    if (keepalive.idleSeconds * 1000 <= 2 * DELAY) return setKeepalive(fd, keepalive);
    this.#waiting.set(fd, { fd, keepalive, since: this.#scheduler.now() });
    if (!this.#sweeping) this.#timer ??= this.#scheduler.after(DELAY, () => this.#sweep());
  }

  /** `fd` is about to be closed. */
  delete(fd: number): void {
    this.#waiting.delete(fd);
  }

  #sweep(): void {
    this.#timer = null;
    this.#sweeping = true;
    const before = this.#scheduler.now() - DELAY;
    this.#apply(this.#waiting.values().filter(({ since }) => since <= before), 0);
  }

  /** Applies keepalive to `due`, from index `at` on, some sockets in each turn. */
  #apply(due: readonly Waiting[], at: number): void {
    for (const one of due.slice(at, at + PORTION)) {
      // The socket was closed in the meantime; its descriptor may belong to another socket.
      if (this.#waiting.get(one.fd) !== one) continue;
      setKeepalive(one.fd, one.keepalive);
      this.#waiting.delete(one.fd);
    }
    const next = at + PORTION;
    if (next < due.length) return this.#scheduler.nextTurn({ runTurn: () => this.#apply(due, next) });
    this.#sweeping = false;
    if (this.#waiting.size > 0) this.#timer = this.#scheduler.after(DELAY, () => this.#sweep());
  }
}

/** Enables keepalive now. Errors are ignored, as upstream ignores them (`docs/spec/dataplane.md` 1.1). */
export function setKeepalive(fd: number, keepalive: Keepalive): void {
  setOption(fd, c.SOL_SOCKET, c.SO_KEEPALIVE, 1);
  setOption(fd, c.SOL_TCP, c.TCP_KEEPIDLE, keepalive.idleSeconds);
  setOption(fd, c.SOL_TCP, c.TCP_KEEPINTVL, keepalive.intervalSeconds);
  setOption(fd, c.SOL_TCP, c.TCP_KEEPCNT, keepalive.probes);
}

/**
 * TCP keepalive for dialled sockets, set only once they have lived for a while: four system calls that a short
 * connection never needs (`docs/spec/dataplane-speed.md` 5). Keepalive begins after minutes of silence, so nothing is
 * lost; settings shorter than that are applied at once.
 */
import * as c from "../os/constants.ts";
import { setOption } from "../os/socket.ts";
import type { Millis, Scheduler, SocketOptions, Timer } from "./network.ts";
import { NumberMap } from "./number_map.ts";

export type Keepalive = NonNullable<SocketOptions["keepalive"]>;

const LATE: Millis = 15_000;

interface Waiting {
  readonly fd: number;
  readonly keepalive: Keepalive;
  readonly since: Millis;
}

export class LateKeepalive {
  readonly #scheduler: Scheduler;
  readonly #waiting = new NumberMap<Waiting>();
  #timer: Timer | null = null;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** `fd` is to have `keepalive`, now or within half a minute. */
  add(fd: number, keepalive: Keepalive): void {
    if (keepalive.idleSeconds * 1000 <= 2 * LATE) return setKeepalive(fd, keepalive);
    this.#waiting.set(fd, { fd, keepalive, since: this.#scheduler.now() });
    this.#timer ??= this.#scheduler.after(LATE, () => this.#sweep());
  }

  /** `fd` is about to be closed. */
  delete(fd: number): void {
    this.#waiting.delete(fd);
  }

  #sweep(): void {
    this.#timer = null;
    const before = this.#scheduler.now() - LATE;
    for (const { fd, keepalive, since } of this.#waiting.values()) {
      if (since > before) continue;
      setKeepalive(fd, keepalive);
      this.#waiting.delete(fd);
    }
    if (this.#waiting.size > 0) this.#timer = this.#scheduler.after(LATE, () => this.#sweep());
  }
}

/** Best effort, as upstream has it (dataplane 1.1). */
export function setKeepalive(fd: number, keepalive: Keepalive): void {
  setOption(fd, c.SOL_SOCKET, c.SO_KEEPALIVE, 1);
  setOption(fd, c.SOL_TCP, c.TCP_KEEPIDLE, keepalive.idleSeconds);
  setOption(fd, c.SOL_TCP, c.TCP_KEEPINTVL, keepalive.intervalSeconds);
  setOption(fd, c.SOL_TCP, c.TCP_KEEPCNT, keepalive.probes);
}

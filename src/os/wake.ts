/** Wakes a thread that waits in its event loop. */
import { libc } from "./libc.ts";

const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

/** Adds one to an eventfd of this process, `Reactor.wakeDescriptor` of that thread. */
export function wake(eventfd: number): void {
  libc.write(eventfd, ONE, 8);
}

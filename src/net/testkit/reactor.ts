/** A reactor for tests in the main isolate. */
import * as c from "../../os/constants.ts";
import { libc } from "../../os/libc_sockets.ts";
import { openSocket, socketName } from "../../os/socket.ts";
import { type Ip, LOOPBACK_V4, type SocketAddress } from "../address.ts";
import type { Rig } from "./contract_kit.ts";
import { Reactor } from "../reactor.ts";
import { decodeSockaddr, encodeSockaddr, familyOf } from "../sockaddr.ts";
import { countSystemFolder } from "../../os/system_files.ts";

/** Ends tests whose condition never holds. */
const LIMIT_MS = 60_000;

/** Runs a reactor until it is closed or its scope ends. */
export class ReactorRig implements Rig, AsyncDisposable {
  readonly network: Reactor;
  readonly loopback: Ip;
  readonly blackhole: SocketAddress;
  /** What callbacks have thrown. */
  readonly errors: unknown[] = [];
  readonly shed: { count: number; address: SocketAddress; code: string }[] = [];
  /** Sources of dials that could not be bound. */
  readonly refusedSources: { source: SocketAddress; code: string }[] = [];
  /** Dials for which the kernel had to choose the port. */
  readonly dialsWithoutPort: SocketAddress[] = [];
  readonly #silent: SilentListener;
  readonly #running: Promise<void>;

  constructor(loopback: Ip = LOOPBACK_V4) {
    this.loopback = loopback;
    this.#silent = new SilentListener(loopback);
    this.blackhole = this.#silent.address;
    this.network = new Reactor({
      onError: (error) => this.errors.push(error),
      onShed: (count, address, code) => this.shed.push({ count, address, code }),
      onSourceRefused: (source, code) => this.refusedSources.push({ source, code }),
      onSourcePortsInUse: (_source, to) => this.dialsWithoutPort.push(to),
    });
    this.#running = this.network.run("shared");
  }

  /** A function and not a method, since the contract calls it without its object. */
  readonly run = async (until: () => boolean): Promise<void> => {
    const deadline = performance.now() + LIMIT_MS;
    while (!until()) {
      if (this.errors.length > 0) throw this.errors[0];
      if (performance.now() > deadline) throw new Error("The condition does not hold after a minute");
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };

  async close(): Promise<void> {
    this.network.stop();
    await this.#running;
    this.#silent.close();
    if (this.errors.length > 0) throw this.errors[0];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A listener whose backlog is full: dials get no answer, as from a host that does not exist. */
class SilentListener {
  readonly address: SocketAddress;
  readonly #descriptors: number[] = [];

  constructor(ip: Ip) {
    const family = familyOf(ip);
    const listener = this.#socket(family);
    const name = encodeSockaddr({ ip, port: 0 });
    if (libc.bind(listener, name, name.length) < 0 || libc.listen(listener, 0) < 0) throw new Error("cannot listen");
    this.address = decodeSockaddr(socketName(listener)!);
    const to = encodeSockaddr(this.address);
    // A backlog of zero has room for one connection; the second gets no answer.
    for (let i = 0; i < 2; i++) libc.connect(this.#socket(family), to, to.length);
  }

  close(): void {
    for (const descriptor of this.#descriptors) libc.close(descriptor);
  }

  #socket(family: number): number {
    const descriptor = openSocket(family, c.SOCK_STREAM);
    this.#descriptors.push(descriptor);
    return descriptor;
  }
}

/** How many descriptors this process has open. */
export function openDescriptors(): number {
  return countSystemFolder("/proc/self/fd");
}

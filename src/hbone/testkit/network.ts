/** For tests only: one host of a network in memory, which counts the open sockets, dials and timers of its program. */
import type { SocketAddress } from "../../net/address.ts";
import type { Millis, Timer } from "../../net/clock.ts";
import type { Duplex } from "../../net/duplex.ts";
import type { MemoryNetwork } from "../../net/testkit/memory_network.ts";
import type { NetworkPath } from "../../net/network_path.ts";
import type * as net from "../../net/network.ts";
import type { TlsContext } from "../../net/tls_context.ts";

/** What the program of a host holds: all zero when nothing has leaked. */
export interface Holdings {
  readonly streams: number;
  readonly dials: number;
  readonly timers: number;
  /** Includes sockets for datagrams. */
  readonly listeners: number;
}

export const NOTHING_HELD: Holdings = Object.freeze({ streams: 0, dials: 0, timers: 0, listeners: 0 });

/** The network of one host, by its namespace. */
export class HostNetwork implements net.Network {
  /** What TLS streams report of their network path. */
  path: NetworkPath | null = null;
  /** Streams that are not closed yet. */
  readonly open = new Set<Duplex>();
  /** The address of every dial. */
  readonly dialled: SocketAddress[] = [];
  #dials = 0;
  #timers = 0;
  #listeners = 0;

  constructor(readonly memory: MemoryNetwork, readonly namespace: number) {}

  get held(): Holdings {
    return { streams: this.open.size, dials: this.#dials, timers: this.#timers, listeners: this.#listeners };
  }

  get turn(): number {
    return this.memory.turn;
  }

  now(): Millis {
    return this.memory.now();
  }

  after(delay: Millis, run: () => void): Timer {
    const done = once(() => this.#timers--);
    this.#timers++;
    const timer = this.memory.after(delay, () => {
      done();
      run();
    });
    return {
      cancel: () => {
        done();
        timer.cancel();
      },
    };
  }

  atTurnEnd(task: net.TurnTask): void {
    this.memory.atTurnEnd(task);
  }

  endTurnSoon(): void {
    this.memory.endTurnSoon();
  }

  nextTurn(task: net.TurnTask): void {
    this.memory.nextTurn(task);
  }

  listen(at: net.ListenAt, accept: (accepted: net.Accepted) => void): net.Listener {
    const listener = this.memory.listen({ ...at, namespace: this.namespace }, (accepted) => {
      this.#track(accepted.duplex);
      accept(accepted);
    });
    const closed = once(() => this.#listeners--);
    this.#listeners++;
    return {
      local: listener.local,
      transparent: listener.transparent,
      close() {
        closed();
        listener.close();
      },
      retire(done) {
        closed();
        listener.retire(done);
      },
      inspect: () => listener.inspect(),
    };
  }

  dial(to: SocketAddress, options: net.DialOptions, events: net.DialEvents): net.Dial {
    const done = this.#begin();
    this.dialled.push(to);
    const dial = this.memory.dial(to, { ...options, namespace: this.namespace }, {
      onConnect: (duplex) => {
        done();
        this.#track(duplex);
        events.onConnect(duplex);
      },
      onDialFailure: (ending) => {
        done();
        events.onDialFailure(ending);
      },
    });
    return abortable(dial, done);
  }

  secure(
    plain: Duplex,
    context: TlsContext,
    role: "client" | "server",
    timeout: Millis,
    events: net.SecureEvents,
  ): net.Handshake {
    const done = this.#begin();
    const handshake = this.memory.secure(plain, context, role, timeout, {
      ...(events.accept === undefined ? {} : { accept: (chain) => events.accept!(chain) }),
      onSecure: (duplex, peer) => {
        done();
        if (this.path !== null) Object.defineProperty(duplex, "path", { value: this.path });
        events.onSecure(duplex, peer);
      },
      onSecureFailure: (ending) => {
        done();
        events.onSecureFailure(ending);
      },
    });
    return {
      ...abortable(handshake, done),
      get peerSince() {
        return handshake.peerSince;
      },
    };
  }

  udp(at: net.UdpAt, sink: net.DatagramSink): net.DatagramSocket {
    const socket = this.memory.udp({ ...at, namespace: this.namespace }, sink);
    const closed = once(() => this.#listeners--);
    this.#listeners++;
    return {
      local: socket.local,
      send: (bytes, to) => socket.send(bytes, to),
      retire: () => socket.retire(),
      close() {
        closed();
        socket.close();
      },
      inspect: () => socket.inspect(),
    };
  }

  #begin(): () => void {
    this.#dials++;
    return once(() => this.#dials--);
  }

  #track(duplex: Duplex): void {
    this.open.add(duplex);
    const close = duplex.close.bind(duplex);
    duplex.close = (reset) => {
      this.open.delete(duplex);
      close(reset);
    };
  }
}

function abortable(dial: net.Dial, done: () => void): net.Dial {
  return {
    abort() {
      done();
      dial.abort();
    },
  };
}

function once(run: () => void): () => void {
  let ran = false;
  return () => {
    if (ran) return;
    ran = true;
    run();
  };
}

/**
 * Keeps connections to `echo.ts` open and sends messages on them: `sender.ts PLAN`, where PLAN is a `SenderPlan` as
 * JSON.
 * Prints `ready` when every connection had its first echo or has failed, then sends for the time of the plan, waits for
 * echoes in flight, prints the `GroupResult`s as JSON in one line, and keeps its connections until it is stopped.
 */
import { close, connect, Readable, receive, send } from "./libc_sockets.ts";

/** Connections of one kind. */
export interface Group {
  readonly connections: number;
  /** Time between two rounds of messages; 0: the connections stay idle. */
  readonly everyMillis: number;
  /** Connections that get a message in a round, chosen at random; null: all of them. */
  readonly pick: number | null;
}

/** The plan of a sender. */
export interface SenderPlan {
  readonly host: string;
  readonly port: number;
  readonly seconds: number;
  readonly groups: readonly Group[];
}

/** Result of a group. Times in microseconds, from sending until the whole echo has arrived. */
export interface GroupResult {
  /** Connections that were refused or closed, or had no echo at the start. */
  readonly failed: number;
  /** Connections that were closed later. */
  readonly closed: number;
  readonly sent: number;
  readonly answered: number;
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
}

interface Connection {
  readonly fd: number;
  readonly group: Sending;
  /** When the messages in flight were sent, oldest first. */
  readonly waiting: number[];
  received: number;
  state: "opening" | "open" | "closed";
}

interface Sending {
  readonly of: Group;
  readonly open: Connection[];
  readonly times: number[];
  failed: number;
  closed: number;
  sent: number;
  due: number;
}

const MESSAGE = new Uint8Array(64).fill(0x2e);
/** Connections that are opened at the same time. */
const OPENERS = 32;
/** A first echo that takes longer counts as failed; the last echoes have the same limit. */
const PATIENCE_MILLIS = 60_000;
const LAST_MILLIS = 15_000;
const IDLE_MILLIS = 1000;

class Sender {
  readonly #plan: SenderPlan;
  readonly #readable = new Readable();
  readonly #connections: (Connection | undefined)[] = [];
  readonly #groups: readonly Sending[];
  readonly #buffer = new Uint8Array(65536);
  #opening = 0;
  #waiting = 0;

  constructor(plan: SenderPlan) {
    this.#plan = plan;
    this.#groups = plan.groups.map((of) => ({ of, open: [], times: [], failed: 0, closed: 0, sent: 0, due: 0 }));
  }

  open(): void {
    for (const group of this.#groups) {
      for (let left = group.of.connections; left > 0 || this.#opening > 0;) {
        while (left > 0 && this.#opening < OPENERS) {
          left--;
          this.#connect(group);
        }
        if (this.#opening > 0 && !this.#receive(PATIENCE_MILLIS)) this.#giveUpOpening();
      }
      // The first echo includes the handshake and is not part of any figure.
      group.times.length = 0;
    }
  }

  run(): void {
    const start = performance.now(), end = start + this.#plan.seconds * 1000;
    for (const group of this.#groups) group.due = group.of.everyMillis === 0 ? Infinity : start + group.of.everyMillis;
    for (let now = start; now < end; now = performance.now()) {
      for (const group of this.#groups) {
        for (; group.due <= now; group.due += group.of.everyMillis) this.#round(group);
      }
      const due = Math.min(end, ...this.#groups.map((group) => group.due));
      this.#receive(Math.max(0, Math.ceil(due - performance.now())));
    }
    for (const last = performance.now() + LAST_MILLIS; this.#waiting > 0 && performance.now() < last;) {
      this.#receive(100);
    }
  }

  results(): GroupResult[] {
    return this.#groups.map(({ times, failed, closed, sent }) => {
      const sorted = Float64Array.from(times).sort();
      const at = (share: number) => Math.round((sorted[Math.floor(sorted.length * share)] ?? 0) * 1000);
      const longest = Math.round((sorted.at(-1) ?? 0) * 1000);
      return { failed, closed, sent, answered: times.length, p50: at(0.5), p99: at(0.99), longest };
    });
  }

  hold(): never {
    for (;;) this.#receive(IDLE_MILLIS);
  }

  #connect(group: Sending): void {
    const fd = connect(this.#plan.host, this.#plan.port);
    if (fd < 0) {
      group.failed++;
      return;
    }
    const connection: Connection = { fd, group, waiting: [], received: 0, state: "opening" };
    this.#connections[fd] = connection;
    this.#readable.add(fd);
    this.#opening++;
    this.#send(connection);
  }

  #round(group: Sending): void {
    const { open, of } = group;
    if (of.pick === null) { for (const connection of open) this.#count(connection); }
    else {
      for (let i = 0; i < of.pick; i++) {
        const connection = open[Math.floor(Math.random() * open.length)];
        if (connection !== undefined) this.#count(connection);
      }
    }
  }

  #count(connection: Connection): void {
    if (connection.state !== "open") return;
    connection.group.sent++;
    this.#send(connection);
  }

  /** A message that the socket does not take counts as one without an echo. */
  #send(connection: Connection): void {
    const now = performance.now();
    if (send(connection.fd, MESSAGE, MESSAGE.length) !== MESSAGE.length) return;
    connection.waiting.push(now);
    this.#waiting++;
  }

  /** False: no event in that time. */
  #receive(millis: number): boolean {
    let any = false;
    this.#readable.wait(millis, (fd) => {
      any = true;
      const connection = this.#connections[fd];
      if (connection !== undefined) this.#read(connection);
    });
    return any;
  }

  #read(connection: Connection): void {
    const length = receive(connection.fd, this.#buffer);
    if (length <= 0) return this.#end(connection);
    const now = performance.now();
    connection.received += length;
    for (; connection.received >= MESSAGE.length; connection.received -= MESSAGE.length) {
      const sent = connection.waiting.shift();
      if (sent === undefined) return this.#end(connection);
      this.#waiting--;
      connection.group.times.push(now - sent);
      if (connection.state === "opening") {
        connection.state = "open";
        this.#opening--;
        connection.group.open.push(connection);
      }
    }
  }

  #end(connection: Connection): void {
    const { group, waiting, state, fd } = connection;
    if (state === "opening") {
      this.#opening--;
      group.failed++;
    } else group.closed++;
    connection.state = "closed";
    this.#waiting -= waiting.length;
    this.#connections[fd] = undefined;
    close(fd);
  }

  #giveUpOpening(): void {
    for (const connection of this.#connections) if (connection?.state === "opening") this.#end(connection);
  }
}

if (import.meta.main) {
  const sender = new Sender(JSON.parse(Deno.args[0] ?? ""));
  sender.open();
  console.log("ready");
  sender.run();
  console.log(JSON.stringify(sender.results()));
  sender.hold();
}

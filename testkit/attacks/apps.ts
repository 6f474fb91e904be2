/**
 * Applications that an attacker likes: one that answers, one that never reads, one that is never there.
 * `apps.ts IP` runs them as a process and prints their ports.
 */

export interface AppPorts {
  /** Sends back what it gets. */
  readonly echo: number;
  /** Reads and throws away. */
  readonly sink: number;
  /** Accepts, reads nothing, sends nothing. */
  readonly mute: number;
  /** Its backlog is full: who dials it gets no answer. */
  readonly deaf: number;
}

export class Apps implements AsyncDisposable {
  readonly ports: AppPorts;
  /** Connections of the mute application. */
  readonly muteConnections: Deno.TcpConn[] = [];
  readonly #listeners: Deno.TcpListener[] = [];
  readonly #all = new Set<Deno.TcpConn>();
  readonly #work: Promise<void>[] = [];

  private constructor(ports: Omit<AppPorts, "deaf">, deaf: Deno.TcpListener, listeners: Deno.TcpListener[]) {
    this.ports = { ...ports, deaf: portOf(deaf) };
    this.#listeners.push(deaf, ...listeners);
  }

  static async start(hostname: string): Promise<Apps> {
    const [echo, sink, mute] = [listen(hostname), listen(hostname), listen(hostname)];
    const deaf = Deno.listen({ hostname, port: 0, tcpBacklog: 0 });
    const apps = new Apps({ echo: portOf(echo), sink: portOf(sink), mute: portOf(mute) }, deaf, [echo, sink, mute]);
    apps.#accept(echo, echoTo);
    apps.#accept(sink, drain);
    apps.#accept(mute, (connection) => void apps.muteConnections.push(connection));
    // A backlog of zero holds one connection; the next one is never answered.
    apps.#all.add(await Deno.connect({ hostname, port: portOf(deaf) }));
    return apps;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    for (const connection of this.#all) close(connection);
    await Promise.all(this.#work);
  }

  #accept(listener: Deno.TcpListener, serve: (connection: Deno.TcpConn) => void | Promise<void>): void {
    this.#work.push((async () => {
      for (let connection = await next(listener); connection !== null; connection = await next(listener)) {
        const accepted = connection;
        this.#all.add(accepted);
        const served = serve(accepted);
        if (served !== undefined) served.finally(() => this.#all.delete(accepted));
      }
    })());
  }
}

/** The next connection, or null: no more. */
async function next(listener: Deno.TcpListener): Promise<Deno.TcpConn | null> {
  for (;;) {
    try {
      return await listener.accept();
    } catch (error) {
      if (error instanceof Deno.errors.BadResource) return null;
      // Another one was gone before it was accepted.
    }
  }
}

async function echoTo(connection: Deno.TcpConn): Promise<void> {
  // A client that goes away in the middle is the rule here.
  await connection.readable.pipeTo(connection.writable).catch(() => {});
}

async function drain(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(65_536);
  try {
    while (await connection.read(buffer) !== null);
  } catch {
    // reset
  }
  close(connection);
}

function listen(hostname: string): Deno.TcpListener {
  return Deno.listen({ hostname, port: 0 });
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // closed by the end of its stream
  }
}

function portOf(listener: Deno.TcpListener): number {
  return listener.addr.port;
}

if (import.meta.main) {
  const apps = await Apps.start(Deno.args[0] ?? "127.0.0.1");
  console.log(JSON.stringify(apps.ports));
}

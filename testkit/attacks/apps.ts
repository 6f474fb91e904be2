/**
 * Applications behind the proxy under attack: one echoes, one only reads, one never reads, one never accepts.
 * `apps.ts IP` runs them as a process and prints their ports as JSON.
 */

/** TCP ports of the applications. */
export interface AppPorts {
  /** Sends back all bytes. */
  readonly echo: number;
  /** Reads all bytes and sends nothing. */
  readonly sink: number;
  /** Accepts, reads nothing, sends nothing. */
  readonly idle: number;
  /** Never accepts. Its backlog is full, so that SYNs to it get no response. */
  readonly full: number;
}

/** The applications, in this process. Disposing of them closes all listeners and connections. */
export class Apps implements AsyncDisposable {
  readonly ports: AppPorts;
  /** Connections that the idle application has accepted. */
  readonly idleConnections: Deno.TcpConn[] = [];
  readonly #listeners: Deno.TcpListener[] = [];
  readonly #all = new Set<Deno.TcpConn>();
  readonly #work: Promise<void>[] = [];

  private constructor(ports: Omit<AppPorts, "full">, full: Deno.TcpListener, listeners: Deno.TcpListener[]) {
    this.ports = { ...ports, full: portOf(full) };
    this.#listeners.push(full, ...listeners);
  }

  static async start(hostname: string): Promise<Apps> {
    const [echo, sink, idle] = [listen(hostname), listen(hostname), listen(hostname)];
    const full = Deno.listen({ hostname, port: 0, tcpBacklog: 0 });
    const apps = new Apps({ echo: portOf(echo), sink: portOf(sink), idle: portOf(idle) }, full, [echo, sink, idle]);
    apps.#accept(echo, echoTo);
    apps.#accept(sink, drain);
    apps.#accept(idle, (connection) => void apps.idleConnections.push(connection));
    // A backlog of zero holds one connection; SYNs of further ones are dropped.
    apps.#all.add(await Deno.connect({ hostname, port: portOf(full) }));
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

/** The next connection; null once the listener is closed. */
async function next(listener: Deno.TcpListener): Promise<Deno.TcpConn | null> {
  for (;;) {
    try {
      return await listener.accept();
    } catch (error) {
      if (error instanceof Deno.errors.BadResource) return null;
      // The client reset this connection before it was accepted.
    }
  }
}

async function echoTo(connection: Deno.TcpConn): Promise<void> {
  // Attackers usually close connections before all bytes are sent.
  await connection.readable.pipeTo(connection.writable).catch(() => {});
}

async function drain(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(65_536);
  try {
    while (await connection.read(buffer) !== null);
  } catch {
    // The client reset the connection.
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
    // The end of its stream has closed it.
  }
}

function portOf(listener: Deno.TcpListener): number {
  return listener.addr.port;
}

if (import.meta.main) {
  const apps = await Apps.start(Deno.args[0] ?? "127.0.0.1");
  console.log(JSON.stringify(apps.ports));
}

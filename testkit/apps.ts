/** Applications behind a proxy, in the process of the test. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

/** A server on a port that the kernel chose. Disposing of it closes its connections and waits for them. */
export interface App extends AsyncDisposable {
  readonly hostname: string;
  readonly port: number;
  /** `ip:port` */
  readonly authority: string;
  /** Number of connections accepted so far. */
  readonly accepted: number;
}

/** Starts a server that passes each connection to `handle` and closes it afterwards, also when `handle` throws. */
export function serveApp(hostname: string, handle: (connection: Deno.TcpConn) => Promise<void>): App {
  const listener = Deno.listen({ hostname, port: 0 });
  const { port } = listener.addr;
  const running = new Set<Promise<void>>();
  let accepted = 0;
  const serving = (async () => {
    for (let connection; (connection = await acceptNext(listener)) !== null;) {
      accepted++;
      const own = connection;
      const done = handle(own).catch(() => {}).finally(() => {
        close(own);
        running.delete(done);
      });
      running.add(done);
    }
  })();
  return {
    hostname,
    port,
    authority: `${hostname}:${port}`,
    get accepted() {
      return accepted;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await Promise.all([serving, ...running]);
    },
  };
}

/** The next connection; null once the listener is closed. Connections that were reset before this are skipped. */
async function acceptNext(listener: Deno.TcpListener): Promise<Deno.TcpConn | null> {
  for (;;) {
    try {
      return await listener.accept();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotConnected)) return null;
    }
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // The handler has closed it, or passed it to something else.
  }
}

/** A server that sends back all bytes, and half-closes after the client has. */
export function echoApp(hostname: string): App {
  return serveApp(hostname, async (connection) => {
    const buffer = new Uint8Array(65536);
    for (let size; (size = await connection.read(buffer)) !== null;) {
      await sendAll(connection, buffer.subarray(0, size));
    }
    await connection.closeWrite();
  });
}

/** Writes all of `bytes`. */
export async function sendAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
}

/** A server that resets each connection after its first bytes. Deno's own `close` would send a FIN before the RST. */
export async function resettingApp(hostname: string): Promise<Pick<App, "authority"> & AsyncDisposable> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.resetAndDestroy());
  });
  server.listen(0, hostname);
  await once(server, "listening");
  return {
    authority: `${hostname}:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

/** The applications of the workload "shop": plain HTTP and a plain TCP echo. They know nothing of the mesh. */
import { writeAll } from "../lab/write_all.ts";
import type { AppPorts } from "./cast.ts";

/** Large enough that system calls do not count. */
const BUFFER = 256 * 1024;

export interface Apps extends AsyncDisposable {
  readonly ports: AppPorts;
  /** What the HTTP app answers; new in each run, so that it can come from nowhere else. */
  readonly greeting: string;
}

export function startApps(ip: string): Apps {
  const greeting = `Hello from the app behind node-b. Word of this run: ${crypto.randomUUID()}\n`;
  const stop = new AbortController();
  const http = Deno.serve(
    { hostname: ip, port: 0, onListen: () => {}, signal: stop.signal },
    () => new Response(greeting),
  );
  const echo = Deno.listen({ hostname: ip, port: 0 });
  const serving = serveEcho(echo);
  return {
    ports: { http: http.addr.port, echo: echo.addr.port },
    greeting,
    async [Symbol.asyncDispose]() {
      echo.close();
      stop.abort();
      await Promise.all([http.finished, serving]);
    },
  };
}

async function serveEcho(listener: Deno.TcpListener): Promise<void> {
  for await (const connection of listener) void echo(connection);
}

/** Reads on only when what came has left again: the sender's speed is the reader's. */
async function echo(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(BUFFER);
  try {
    for (let size; (size = await connection.read(buffer)) !== null;) {
      await writeAll(connection, buffer.subarray(0, size));
    }
    await connection.closeWrite();
  } catch {
    // the peer went away
  } finally {
    connection.close();
  }
}

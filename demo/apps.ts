/** The applications of the workload "shop": plain HTTP and a TCP echo. They do not take part in the mesh themselves. */
import { writeAll } from "../lab/write_all.ts";
import type { AppPorts } from "./workloads.ts";

/** Bytes per read; large, so that system calls take little of the time. */
const BUFFER = 256 * 1024;

/** The running applications. */
export interface Apps extends AsyncDisposable {
  readonly ports: AppPorts;
  /** The response of the HTTP app. It differs in each run, so that it cannot come from anywhere else. */
  readonly greeting: string;
}

/** Starts the applications at `ip`, on ports that the kernel chooses. */
export function startApps(ip: string): Apps {
  const greeting = `Hello from the app behind node-b. Id of this run: ${crypto.randomUUID()}\n`;
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

/** Reads more only after the last bytes were written, so a slow reader slows the sender down. */
async function echo(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(BUFFER);
  try {
    for (let size; (size = await connection.read(buffer)) !== null;) {
      await writeAll(connection, buffer.subarray(0, size));
    }
    await connection.closeWrite();
  } catch {
    // the peer closed or reset the connection
  } finally {
    connection.close();
  }
}

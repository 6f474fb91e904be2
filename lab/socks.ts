/** A SOCKS5 client (RFC 1928), CONNECT to an IPv4 address without authentication: how the demo enters the mesh. */
import { writeAll } from "./write_all.ts";

export interface Target {
  /** IPv4. */
  readonly ip: string;
  readonly port: number;
}

/** VERSION 5, one method, "no authentication". */
const GREETING = Uint8Array.of(5, 1, 0);
const REPLY_SIZE = 10;

/**
 * A connection to `target` by way of the proxy at `proxyPort` of loopback. It is open before the proxy has tried: a
 * failure shows as the end of the connection.
 */
export async function connectBySocks(proxyPort: number, target: Target): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: proxyPort });
  try {
    await writeAll(connection, GREETING);
    const [, method] = await readExactly(connection, 2);
    if (method !== 0) throw new Error(`SOCKS5 proxy asks for the authentication method ${method}`);
    await writeAll(connection, connectRequest(target));
    const [, status] = await readExactly(connection, REPLY_SIZE);
    if (status !== 0) throw new Error(`SOCKS5 proxy answers with the error ${status}`);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

export function connectRequest({ ip, port }: Target): Uint8Array {
  return Uint8Array.of(5, 1, 0, 1, ...ip.split(".").map(Number), port >> 8, port & 0xff);
}

async function readExactly(connection: Deno.Conn, size: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(size);
  for (let have = 0; have < size;) {
    const got = await connection.read(buffer.subarray(have));
    if (got === null) throw new Error("SOCKS5 proxy closed the connection during the negotiation");
    have += got;
  }
  return buffer;
}

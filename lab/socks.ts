/** A SOCKS5 client (RFC 1928) for CONNECT to an IPv4 address without authentication. */
import { writeAll } from "./write_all.ts";

/** The destination of a connection. */
export interface Target {
  /** IPv4. */
  readonly ip: string;
  readonly port: number;
}

/** VERSION 5, one method, "no authentication". */
const GREETING = Uint8Array.of(5, 1, 0);
const REPLY_SIZE = 10;

/**
 * Connects to `target` through the proxy at `proxyPort` of loopback. The connection is open before the proxy has connected
 * to the target; a failure closes it later.
 */
export async function connectBySocks(proxyPort: number, target: Target): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: proxyPort });
  try {
    await writeAll(connection, GREETING);
    const [, method] = await readExactly(connection, 2);
    if (method !== 0) throw new Error(`SOCKS5 proxy requires the authentication method ${method}`);
    await writeAll(connection, connectRequest(target));
    const [, status] = await readExactly(connection, REPLY_SIZE);
    if (status !== 0) throw new Error(`SOCKS5 proxy responds with the error ${status}`);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function connectRequest({ ip, port }: Target): Uint8Array {
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

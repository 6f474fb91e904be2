/** What the client sends: HTTP requests, a large echo, and connections that are expected to fail. All by SOCKS5. */
import { writeAll } from "../lab/write_all.ts";
import { BytePattern, randomBlock } from "./byte_pattern.ts";
import { connectBySocks, type Target } from "../lab/socks.ts";

const CHUNK = 256 * 1024;

/** A response. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  readonly millis: number;
}

/** A GET request on its own connection. */
export async function httpGet(proxyPort: number, target: Target, host: string): Promise<HttpAnswer> {
  const start = performance.now();
  using connection = await connectBySocks(proxyPort, target);
  await writeAll(connection, new TextEncoder().encode(`GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`));
  const text = new TextDecoder().decode((await readToEnd(connection)).received);
  const [head = "", body = ""] = text.split("\r\n\r\n", 2);
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0), body, millis: performance.now() - start };
}

/** `total` requests, `atOnce` of them at a time. */
export async function httpGets(total: number, atOnce: number, get: () => Promise<HttpAnswer>): Promise<HttpAnswer[]> {
  const answers: HttpAnswer[] = [];
  let left = total;
  const worker = async () => {
    while (left-- > 0) answers.push(await get());
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return answers;
}

/** The result of an echo. */
export interface Echo {
  /** The client's address, `ip:port`. */
  readonly from: string;
  /** Bytes that came back before the connection ended. */
  readonly back: number;
  /** Whether they were the bytes that had been sent. */
  readonly intact: boolean;
  readonly millis: number;
}

/** Sends `size` bytes and half-closes, and compares what comes back until the end of the stream. */
export async function echo(
  proxyPort: number,
  target: Target,
  size: number,
  onProgress: (back: number, millis: number) => void,
): Promise<Echo> {
  const start = performance.now();
  using connection = await connectBySocks(proxyPort, target);
  const { hostname, port } = connection.localAddr;
  const block = randomBlock();
  const progress = (back: number) => onProgress(back, performance.now() - start);
  const [, result] = await Promise.all([
    send(connection, new BytePattern(block), size),
    compare(connection, new BytePattern(block), progress),
  ]);
  return { from: `${hostname}:${port}`, ...result, millis: performance.now() - start };
}

/** Sends at the speed at which the connection accepts bytes. */
async function send(connection: Deno.TcpConn, pattern: BytePattern, size: number): Promise<void> {
  for (let sent = 0; sent < size;) sent += await connection.write(pattern.at(sent, Math.min(CHUNK, size - sent)));
  await connection.closeWrite();
}

/** Reads and compares to the end of the stream. */
async function compare(
  connection: Deno.TcpConn,
  expected: BytePattern,
  onProgress: (back: number) => void,
): Promise<{ readonly back: number; readonly intact: boolean }> {
  const buffer = new Uint8Array(CHUNK);
  let back = 0;
  let intact = true;
  for (let got; (got = await connection.read(buffer)) !== null;) {
    intact &&= expected.matches(back, buffer.subarray(0, got));
    back += got;
    onProgress(back);
  }
  return { back, intact };
}

/** What was received, and how the connection ended. */
interface Received {
  readonly received: Uint8Array;
  readonly end: "closed" | "reset";
}

/** The result of a connection that is expected to fail. */
export interface Attempt extends Received {
  /** The client's address, `ip:port`. */
  readonly from: string;
}

/** Writes `bytes` and reads to the end of the connection, or its reset. */
export async function attempt(connection: Deno.TcpConn, bytes: Uint8Array): Promise<Attempt> {
  using _owned = connection;
  const { hostname, port } = connection.localAddr;
  const from = `${hostname}:${port}`;
  try {
    await writeAll(connection, bytes);
  } catch (error) {
    if (!isReset(error)) throw error;
  }
  return { from, ...await readToEnd(connection) };
}

/** Reads to the end. For small responses only. */
async function readToEnd(connection: Deno.TcpConn): Promise<Received> {
  const received: number[] = [];
  const buffer = new Uint8Array(4096);
  try {
    for (let got; (got = await connection.read(buffer)) !== null;) received.push(...buffer.subarray(0, got));
    return { received: Uint8Array.from(received), end: "closed" };
  } catch (error) {
    if (!isReset(error)) throw error;
    return { received: Uint8Array.from(received), end: "reset" };
  }
}

function isReset(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe;
}

/** The kinds of connections of a soak run: what each does with the application (`tests/fixtures/tcp_app.ts`), and what must come of it. */
import { connect } from "node:net";
import { connectBySocks } from "../../lab/socks.ts";
import { writeAll } from "../../lab/write_all.ts";

/** Connections of one kind from one place. */
export interface Call {
  /** Its name in the report. */
  readonly name: string;
  readonly kind: keyof typeof KINDS;
  /** The destination; the nameserver for `dns`. */
  readonly ip: string;
  readonly port: number;
  readonly perSecond: number;
  /** What is sent. */
  readonly bytes?: number;
  /** How long a connection of kind `held` stays open. */
  readonly seconds?: number;
  /** The port of a SOCKS5 proxy on loopback through which it connects. */
  readonly socks?: number;
  /** The name that `dns` looks up, and the answer. */
  readonly lookup?: { readonly name: string; readonly answer: string };
  /** Policies or the end of the pod may cut the connection at any time: its outcome does not count. */
  readonly mayFail?: true;
}

const PATTERN = crypto.getRandomValues(new Uint8Array(65_536));
const HELD_MESSAGE = 64, HELD_EVERY_MS = 2000, HALF_CLOSED_MS = 1500;

/** Each resolves if the connection did what it had to do, and throws otherwise. */
const KINDS = {
  /** Sends bytes and half-closes, and reads the same bytes and an end. */
  echo: (call: Call) => using(call, (connection) => echo(connection, call.bytes ?? 0)),
  /** Sends bytes and half-closes, and reads how many have arrived. */
  upload: (call: Call) => using(call, (connection) => upload(connection, call.bytes ?? 0)),
  /** The application resets the connection. */
  reset: (call: Call) => using(call, (connection) => expectReset(connection, "reset\n")),
  /** The caller resets the connection. */
  abort,
  /** Nothing listens at the destination, or a policy refuses: the connection ends without a byte. */
  refused,
  /** The application half-closes, and the caller closes its direction later. */
  halfClosed: (call: Call) => using(call, halfClosed),
  /** Small messages in both directions for some time. */
  held: (call: Call) => using(call, (connection) => held(connection, call.seconds ?? 0)),
  /** Sends bytes that are no TLS to the port for HBONE. */
  garbage,
  /** A lookup by UDP. */
  dns: lookUp,
} as const;

/** Makes one connection. Throws where it did not do what it had to do. */
export function make(call: Call): Promise<void> {
  return KINDS[call.kind](call);
}

async function using(call: Call, work: (connection: Deno.TcpConn) => Promise<void>): Promise<void> {
  const connection = await open(call);
  try {
    await work(connection);
  } finally {
    connection.close();
  }
}

function open({ ip, port, socks }: Call): Promise<Deno.TcpConn> {
  return socks === undefined ? Deno.connect({ hostname: ip, port }) : connectBySocks(socks, { ip, port });
}

async function echo(connection: Deno.TcpConn, bytes: number): Promise<void> {
  const sending = send(connection, "echo\n", bytes);
  // A failure is thrown below, where the promise is awaited.
  sending.catch(() => {});
  const buffer = new Uint8Array(65_536);
  let received = 0;
  try {
    for (let size; (size = await connection.read(buffer)) !== null;) {
      for (let i = 0; i < size; i += 997) {
        if (buffer[i] !== PATTERN[(received + i) % PATTERN.length]) throw new Error("other bytes than those sent");
      }
      received += size;
    }
  } finally {
    await sending;
  }
  if (received !== bytes) throw new Error(`${received} of ${bytes} bytes came back`);
}

async function upload(connection: Deno.TcpConn, bytes: number): Promise<void> {
  await send(connection, "count\n", bytes);
  const answer = await readAll(connection);
  if (answer !== `${bytes}\n`) throw new Error(`the application received ${JSON.stringify(answer)} of ${bytes} bytes`);
}

async function send(connection: Deno.TcpConn, head: string, bytes: number): Promise<void> {
  await writeAll(connection, new TextEncoder().encode(head));
  for (let sent = 0; sent < bytes; sent += PATTERN.length) {
    await writeAll(connection, PATTERN.subarray(0, Math.min(PATTERN.length, bytes - sent)));
  }
  await connection.closeWrite();
}

async function readAll(connection: Deno.TcpConn): Promise<string> {
  const buffer = new Uint8Array(4096);
  let text = "";
  for (let size; (size = await connection.read(buffer)) !== null;) {
    text += new TextDecoder().decode(buffer.subarray(0, size));
  }
  return text;
}

async function expectReset(connection: Deno.TcpConn, head: string): Promise<void> {
  await writeAll(connection, new TextEncoder().encode(head));
  let text: string;
  try {
    text = await readAll(connection);
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionReset) return;
    throw error;
  }
  throw new Error(`ended without a reset after ${JSON.stringify(text)}`);
}

function abort({ ip, port }: Call): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ host: ip, port });
  socket.on("error", reject);
  socket.on("connect", () => {
    socket.write("hold\n");
    socket.write(PATTERN.subarray(0, 5000), () => socket.resetAndDestroy());
  });
  socket.on("close", () => resolve());
  return promise;
}

async function refused(call: Call): Promise<void> {
  let text = "";
  try {
    await using(call, async (connection) => void (text = await readAll(connection)));
  } catch {
    // A reset or a refusal.
  }
  if (text !== "") throw new Error(`answered with ${text.length} bytes`);
}

async function halfClosed(connection: Deno.TcpConn): Promise<void> {
  await writeAll(connection, new TextEncoder().encode("source\n"));
  const text = await readAll(connection);
  if (!text.endsWith("\n")) throw new Error(`answered with ${JSON.stringify(text)}`);
  await new Promise((resolve) => setTimeout(resolve, HALF_CLOSED_MS));
  await connection.closeWrite();
}

async function held(connection: Deno.TcpConn, seconds: number): Promise<void> {
  await writeAll(connection, new TextEncoder().encode("echo\n"));
  const buffer = new Uint8Array(HELD_MESSAGE);
  for (let left = seconds * 1000 / HELD_EVERY_MS; left > 0; left--) {
    await writeAll(connection, PATTERN.subarray(0, HELD_MESSAGE));
    for (let have = 0; have < HELD_MESSAGE;) {
      const size = await connection.read(buffer);
      if (size === null) throw new Error("ended while it was in use");
      have += size;
    }
    await new Promise((resolve) => setTimeout(resolve, HELD_EVERY_MS));
  }
  await connection.closeWrite();
  if (await connection.read(buffer) !== null) throw new Error("bytes that nobody sent");
}

async function garbage(call: Call): Promise<void> {
  try {
    await using(call, async (connection) => {
      await writeAll(connection, PATTERN.subarray(0, 300));
      await readAll(connection);
    });
  } catch {
    // The proxy may reset the connection.
  }
}

async function lookUp({ ip, port, lookup }: Call): Promise<void> {
  const answers = await Deno.resolveDns(lookup?.name ?? "", "A", { nameServer: { ipAddr: ip, port } });
  if (answers[0] !== lookup?.answer) throw new Error(`the answer is ${answers}`);
}

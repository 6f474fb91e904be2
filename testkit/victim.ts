/**
 * A proxy for tests with peers that violate the protocol, and the check that it refuses each of them, logs one line
 * about it, and releases its descriptors.
 */
import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import type { LogLine } from "../lab/log_line.ts";
import type { Issuer } from "../src/identity/testkit/certificates.ts";
import { type App, echoApp, sendAll } from "./apps.ts";
import { type Credential, credential, sharedCa } from "./credentials.ts";
import { HbonePeer } from "./hbone_peer.ts";
import { identityOf, meshText } from "../lab/mesh.ts";
import { type Place, Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { tempDir } from "../lab/temp_dir.ts";

/** The address of the proxy and its workload. */
export const IP = "127.0.0.3";

/** What the bad peer received. */
export interface PeerOutcome {
  /** Its address as `ip:port`; null: the proxy reset the connection before its address was known here. */
  readonly from: string | null;
  /** Bytes, a status or an error. */
  readonly seen: unknown;
}

/** The log line about the bad peer. */
export interface ExpectedLine {
  readonly level: string;
  readonly scope?: string;
  readonly message: string;
  /** The field `error`; null: the line must not have it. */
  readonly error: RegExp | null;
  /** The line does not contain the peer's address. */
  readonly anonymous?: boolean;
}

/** A proxy for workload b, which only workload a may call, and an application behind it. */
export class Victim implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;

  private constructor(
    stack: AsyncDisposableStack,
    readonly proxy: Proxy,
    readonly app: App,
    readonly ca: Issuer,
    /** The certificate of workload a. */
    readonly good: Credential,
    readonly inbound: Place,
    /** Number of open descriptors without connections. */
    readonly atRest: number,
  ) {
    this.#stack = stack;
  }

  /** Starts the proxy and the application. */
  static async start(): Promise<Victim> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(tempDir());
    const mesh = meshText([{ name: "b", ips: [IP], policies: ["only-a"] }], [{ name: "only-a", from: ["a"] }]);
    const app = stack.use(echoApp(IP));
    const ca = sharedCa(folder.path);
    const proxy = stack.use(await Proxy.ready(nodeSettings({ name: "b", ip: IP, mesh, folder: folder.path })));
    const good = credential(ca, identityOf("a"));
    const victim = new Victim(stack.move(), proxy, app, ca, good, await proxy.place("inbound"), proxy.descriptors);
    await victim.serves();
    return victim;
  }

  /** Checks that an allowed peer reaches the application and is logged. */
  async serves(): Promise<void> {
    await using peer = await HbonePeer.connect(this.inbound, this.good);
    const tunnel = await peer.tunnel(this.app.authority);
    tunnel.send("hello");
    tunnel.end();
    assert.equal(await tunnel.rest(), "hello");
    await this.proxy.line(new RegExp(`connection complete\\tsrc\\.addr=${peer.from} .*bytes_sent=5`));
  }

  /** Runs `act`, a bad peer, and checks what it received and what was logged. `expected` null: no line. */
  async checkPeer(
    act: (victim: Victim) => Promise<PeerOutcome>,
    seen: unknown,
    expected: ExpectedLine | null,
  ): Promise<void> {
    const before = this.proxy.lines.length;
    const result = await act(this);
    // Log lines of a worker are in order: those about the bad peer come before the line about the good one.
    await this.serves();
    // The proxy also says that the connection was not redirected, as none of these is.
    const lines = this.proxy.lines.slice(before, -1).filter(({ scope }) => scope !== "socket");
    if (seen instanceof RegExp) assert.match(String(result.seen), seen);
    else assert.deepEqual(result.seen, seen);
    const text = lines.map(({ level, message, words }) => [level, message, ...words].join(" ")).join("\n");
    assert.equal(lines.length, expected === null ? 0 : 1, text);
    if (expected !== null) checkLine(lines[0]!, expected, result.from);
    await this.proxy.descriptorsBackTo(this.atRest);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

function checkLine(
  line: LogLine,
  { level, scope = "access", message, error, anonymous }: ExpectedLine,
  from: string | null,
): void {
  // Without the spans.
  assert.deepEqual([line.level, line.scope.replace(/:[a-z0-9_]+\{.*/, ""), line.message], [level, scope, message]);
  if (!anonymous && from !== null) assert.equal(line.fields.get("src.addr") ?? line.fields.get("peer"), from);
  const text = line.fields.get("error");
  if (error === null) assert.equal(text, undefined);
  else assert.match(text ?? "", error);
}

/** The line about a connection that failed before its first request. */
export function refused(error: RegExp): ExpectedLine {
  return { level: "warn", message: "connection failed", error };
}

/** The access log line of a connection that was denied by policy or could not reach the application. */
export function failed(error: RegExp): ExpectedLine {
  return { level: "error", message: "connection complete", error };
}

/** The line about an HTTP/2 protocol error. */
export function closed(reason: string): ExpectedLine {
  return { level: "warn", scope: "proxy::inbound", message: `HBONE connection closed: ${reason}`, error: null };
}

/** Writes bytes without TLS and reads to the end of the connection. */
export async function raw(place: Place, bytes: Uint8Array): Promise<PeerOutcome> {
  const received: number[] = [];
  let from: string | null = null;
  try {
    using connection = await Deno.connect(place);
    const { hostname, port } = connection.localAddr;
    from = `${hostname}:${port}`;
    await sendAll(connection, bytes);
    const buffer = new Uint8Array(1024);
    for (let size; (size = await connection.read(buffer)) !== null;) received.push(...buffer.subarray(0, size));
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  return { from, seen: Buffer.from(received).toString("hex") };
}

/** Writes `bytes` (latin1) and closes the connection. Returns its local address as `ip:port`. */
export async function sendAndClose(place: Place, bytes: string): Promise<string> {
  using connection = await Deno.connect(place);
  const { hostname, port } = connection.localAddr;
  await sendAll(connection, Buffer.from(bytes, "latin1"));
  return `${hostname}:${port}`;
}

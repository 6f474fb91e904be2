/** A proxy that suffers bad peers, and the check that each is refused, named in one line, and leaves nothing behind. */
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

/** Where the proxy serves. */
export const IP = "127.0.0.3";

/** What a peer saw, and under which address. */
export interface Seen {
  readonly from: string;
  readonly seen: unknown;
}

/** The one line about it. */
export interface Told {
  readonly level: string;
  readonly scope?: string;
  readonly message: string;
  /** The field `error`, or null where there must be none. */
  readonly error: RegExp | null;
  /** The peer's address is not in it. */
  readonly anonymous?: boolean;
}

/** A proxy that serves workload b, which only workload a may call, and an app behind it. */
export class Victim implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;

  private constructor(
    stack: AsyncDisposableStack,
    readonly proxy: Proxy,
    readonly app: App,
    readonly ca: Issuer,
    readonly good: Credential,
    readonly inbound: Place,
    /** Open descriptors while nobody is connected. */
    readonly atRest: number,
  ) {
    this.#stack = stack;
  }

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

  /** Somebody who may call the app does, and is logged. */
  async serves(): Promise<void> {
    await using peer = await HbonePeer.connect(this.inbound, this.good);
    const tunnel = await peer.tunnel(this.app.authority);
    tunnel.send("hello");
    tunnel.end();
    assert.equal(await tunnel.rest(), "hello");
    await this.proxy.line(new RegExp(`connection complete\\tsrc\\.addr=${peer.from} .*bytes_sent=5`));
  }

  /** Lets `act` do its worst and checks what came of it. */
  async suffers(act: (victim: Victim) => Promise<Seen>, seen: unknown, told: Told | null): Promise<void> {
    const before = this.proxy.lines.length;
    const result = await act(this);
    // The worker's lines come in order: whatever it has to say about the bad one comes before the good one's line.
    await this.serves();
    const lines = this.proxy.lines.slice(before, -1);
    assert.deepEqual(result.seen, seen);
    const text = lines.map(({ level, message, words }) => [level, message, ...words].join(" ")).join("\n");
    assert.equal(lines.length, told === null ? 0 : 1, text);
    if (told !== null) checkLine(lines[0]!, told, result.from);
    await this.proxy.descriptorsBackTo(this.atRest);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

function checkLine(line: LogLine, { level, scope = "access", message, error, anonymous }: Told, from: string): void {
  assert.deepEqual([line.level, line.scope, line.message], [level, scope, message]);
  if (!anonymous) assert.equal(line.fields.get("src.addr") ?? line.fields.get("peer"), from);
  const text = line.fields.get("error");
  if (error === null) assert.equal(text, undefined);
  else assert.match(text ?? "", error);
}

/** Refused before there was a request. */
export function refused(error: RegExp): Told {
  return { level: "warn", message: "connection failed", error };
}

/** A connection that a tracker knows: refused by policy, or failed on its way to the app. */
export function failed(error: RegExp): Told {
  return { level: "error", message: "connection complete", error };
}

/** HTTP/2 was spoken wrongly. */
export function closed(reason: string): Told {
  return { level: "warn", scope: "proxy::inbound", message: `HBONE connection closed: ${reason}`, error: null };
}

/** Writes to a listener without TLS and reads to the end. */
export async function raw(place: Place, bytes: Uint8Array): Promise<Seen> {
  using connection = await Deno.connect(place);
  const { hostname, port } = connection.localAddr;
  const received: number[] = [];
  try {
    await sendAll(connection, bytes);
    const buffer = new Uint8Array(1024);
    for (let size; (size = await connection.read(buffer)) !== null;) received.push(...buffer.subarray(0, size));
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  return { from: `${hostname}:${port}`, seen: Buffer.from(received).toString("hex") };
}

/** Writes `bytes` and goes away. */
export async function leave(place: Place, bytes: string): Promise<string> {
  using connection = await Deno.connect(place);
  const { hostname, port } = connection.localAddr;
  await sendAll(connection, Buffer.from(bytes, "latin1"));
  return `${hostname}:${port}`;
}

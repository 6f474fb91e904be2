/**
 * The HTTP server behind the admin, stats and readiness ports (`docs/spec/config-admin.md` 3, 4.1).
 *
 * Binding and serving are two steps, so that a port that cannot be bound fails the start before anything is served.
 */
import type { ServerAddress } from "../config/config.ts";
import { formatAddress, LOOPBACK_V4, LOOPBACK_V6, parseIp, type SocketAddress } from "../net/address.ts";
import { SYSTEM_CLOCK } from "../net/clock.ts";
import { ListenError } from "../net/network.ts";
import type { LogScope } from "../telemetry/log.ts";
import { bare } from "../telemetry/log_fields.ts";
import { acceptAll, errorText } from "./accept.ts";
import { HttpConnection, type HttpHandler } from "./http_connection.ts";

/**
 * Most connections. Beyond them the oldest idle connection is evicted, or the oldest of all where none is idle.
 */
const CONNECTIONS_MAX = 512;

/** A server on one or two addresses. */
export class HttpServer {
  readonly #listeners: readonly Deno.TcpListener[];
  readonly #log: LogScope;
  readonly #component: string;

  readonly #connections = new Set<HttpConnection>();
  readonly #accepting: Promise<void>[] = [];
  readonly #stop = new AbortController();

  private constructor(
    /** The first one names the server in the log. */
    readonly addresses: readonly [SocketAddress, ...SocketAddress[]],
    listeners: readonly Deno.TcpListener[],
    log: LogScope,
    component: string,
  ) {
    this.#listeners = listeners;
    this.#log = log;
    this.#component = component;
  }

  /**
   * Binds all addresses. `component`: `admin`, `stats`, `readiness`. `log`: scope `ztunnel::hyper_util`. Throws
   * {@link ListenError}.
   */
  static bind(component: string, at: ServerAddress, log: LogScope): HttpServer {
    const first = listen(firstAddress(at));
    const local = localAddress(first);
    if (at.kind === "address" || !at.ipv6) return new HttpServer([local], [first], log, component);
    try {
      const second = listen({ ip: LOOPBACK_V6, port: local.port });
      return new HttpServer([local, localAddress(second)], [first, second], log, component);
    } catch (error) {
      first.close();
      throw error;
    }
  }

  /** Begins to accept connections. */
  serve(handler: HttpHandler) {
    this.#log.info("listener established", this.#fields());
    for (const listener of this.#listeners) this.#accepting.push(this.#accept(listener, handler));
  }

  /**
   * Stops listening at once. Resolves when the requests in progress are answered. Bodies without an end of their own, such
   * as server-sent events, end when `streamsEnd` has resolved: those who follow a drain see all of it.
   */
  async drain(streamsEnd: Promise<void>): Promise<void> {
    this.#stop.abort();
    for (const listener of this.#listeners) listener.close();
    for (const connection of this.#connections) connection.drain();
    await streamsEnd;
    for (const connection of this.#connections) connection.endStreams();
    await Promise.all(this.#accepting);
  }

  async #accept(listener: Deno.TcpListener, handler: HttpHandler) {
    const serving = new Set<Promise<void>>();
    await acceptAll(listener, this.#stop.signal, SYSTEM_CLOCK, {
      onConnection: (stream) => {
        const done = this.#serveOne(stream, handler).finally(() => serving.delete(done));
        serving.add(done);
      },
      onFailure: (reason) => this.#log.warn(`cannot accept connections: ${reason}`, this.#fields()),
      onRecovery: (failures) => this.#log.warn(`accepting again after ${failures} failures`, this.#fields()),
    });
    await Promise.all(serving);
    this.#log.info("listener drained", this.#fields());
  }

  async #serveOne(stream: Deno.TcpConn, handler: HttpHandler) {
    if (this.#connections.size >= CONNECTIONS_MAX) this.#evictOne();
    stream.setNoDelay(true);
    const connection = new HttpConnection(stream, handler, SYSTEM_CLOCK);
    this.#connections.add(connection);
    await connection.serve();
    this.#connections.delete(connection);
  }

  /** Refusing the new connection instead would let busy clients keep the kubelet's readiness probe out. */
  #evictOne() {
    const [oldest] = this.#connections;
    const evicted = this.#connections.values().find(({ idle }) => idle) ?? oldest;
    if (evicted === undefined) return;
    this.#connections.delete(evicted);
    evicted.close();
  }

  #fields() {
    return { address: bare(formatAddress(this.addresses[0])), component: this.#component };
  }
}

function firstAddress(at: ServerAddress): SocketAddress {
  return at.kind === "localhost" ? { ip: LOOPBACK_V4, port: at.port } : at.address;
}

function listen(address: SocketAddress): Deno.TcpListener {
  try {
    return Deno.listen({ hostname: address.ip, port: address.port });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "EIO";
    throw new ListenError(`failed to bind to address ${formatAddress(address)}: ${errorText(error)}`, code, address);
  }
}

function localAddress(listener: Deno.TcpListener): SocketAddress {
  const { hostname, port } = listener.addr;
  const ip = parseIp(hostname);
  if (ip === null) throw new Error(`cannot read the address ${hostname}`);
  return { ip, port };
}

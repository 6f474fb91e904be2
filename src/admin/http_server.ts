/**
 * The HTTP server behind the admin, stats and readiness ports (`docs/spec/config-admin.md` 3, 4.1).
 *
 * Binding and serving are two steps: a port that cannot be bound stops the start before anything is served.
 */
import type { ServerAddress } from "../config/config.ts";
import { formatAddress, LOOPBACK_V4, LOOPBACK_V6, parseIp, type SocketAddress } from "../net/address.ts";
import { SYSTEM_CLOCK } from "../net/clock.ts";
import { ListenError } from "../net/network.ts";
import type { LogScope } from "../telemetry/log.ts";
import { bare } from "../telemetry/log_fields.ts";
import { acceptAll, textOf } from "./accept.ts";
import { HttpConnection, type HttpHandler } from "./http_connection.ts";

/** More clients than any of these servers has; then the one that came first makes room, an idle one where there is one. */
const CONNECTIONS_MAX = 512;

export class HttpServer {
  readonly #connections = new Set<HttpConnection>();
  readonly #accepting: Promise<void>[] = [];
  readonly #stop = new AbortController();

  private constructor(
    /** The first one names the server in the log. */
    readonly addresses: readonly [SocketAddress, ...SocketAddress[]],
    private readonly listeners: readonly Deno.TcpListener[],
    private readonly log: LogScope,
    private readonly component: string,
  ) {}

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

  serve(handler: HttpHandler) {
    this.log.info("listener established", this.#fields());
    for (const listener of this.listeners) this.#accepting.push(this.#accept(listener, handler));
  }

  /** Stops listening at once; resolves when running requests are answered. */
  async drain(): Promise<void> {
    this.#stop.abort();
    for (const listener of this.listeners) listener.close();
    for (const connection of this.#connections) connection.drain();
    await Promise.all(this.#accepting);
  }

  async #accept(listener: Deno.TcpListener, handler: HttpHandler) {
    const serving = new Set<Promise<void>>();
    await acceptAll(listener, this.#stop.signal, SYSTEM_CLOCK, {
      onConnection: (stream) => {
        const done = this.#serveOne(stream, handler).finally(() => serving.delete(done));
        serving.add(done);
      },
      onFailure: (reason) => this.log.warn(`cannot accept connections: ${reason}`, this.#fields()),
      onRecovery: (failures) => this.log.warn(`accepting again after ${failures} failures`, this.#fields()),
    });
    await Promise.all(serving);
    this.log.info("listener drained", this.#fields());
  }

  async #serveOne(stream: Deno.TcpConn, handler: HttpHandler) {
    if (this.#connections.size >= CONNECTIONS_MAX) this.#makeRoom();
    stream.setNoDelay(true);
    const connection = new HttpConnection(stream, handler, SYSTEM_CLOCK);
    this.#connections.add(connection);
    await connection.serve();
    this.#connections.delete(connection);
  }

  /** Turning the newcomer away instead would let a crowd that keeps busy make the kubelet think we are not ready. */
  #makeRoom() {
    const [oldest] = this.#connections;
    const leaving = this.#connections.values().find(({ idle }) => idle) ?? oldest;
    if (leaving === undefined) return;
    this.#connections.delete(leaving);
    leaving.close();
  }

  #fields() {
    return { address: bare(formatAddress(this.addresses[0])), component: this.component };
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
    throw new ListenError(`failed to bind to address ${formatAddress(address)}: ${textOf(error)}`, code, address);
  }
}

function localAddress(listener: Deno.TcpListener): SocketAddress {
  const { hostname, port } = listener.addr;
  const ip = parseIp(hostname);
  if (ip === null) throw new Error(`cannot read the address ${hostname}`);
  return { ip, port };
}

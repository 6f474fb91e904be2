/** Passes connections on to the admin port of a proxy, as a forwarded port does, until the connection is to be lost. */

/** A relay on a port of its own, which stays the same. */
export class Relay implements AsyncDisposable {
  readonly port: number;
  readonly #target: Deno.ConnectOptions;
  readonly #open = new Set<Deno.TcpConn>();
  #listener: Deno.TcpListener;
  #accepting: Promise<void>;

  constructor(target: Deno.ConnectOptions) {
    this.#target = target;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#accepting = this.#accept();
  }

  /** Closes everything: connections fail, and new ones are refused. */
  async cut(): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) this.#close(connection);
    await this.#accepting;
  }

  /** Passes connections on again. */
  restore(): void {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    this.#accepting = this.#accept();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cut();
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) void this.#relay(connection);
  }

  async #relay(client: Deno.TcpConn): Promise<void> {
    this.#open.add(client);
    let server: Deno.TcpConn | null = null;
    try {
      server = await Deno.connect({ ...this.#target, transport: "tcp" });
      this.#open.add(server);
      await Promise.all([client.readable.pipeTo(server.writable), server.readable.pipeTo(client.writable)]);
    } catch {
      // One side has ended the connection.
    } finally {
      this.#close(client);
      if (server !== null) this.#close(server);
    }
  }

  #close(connection: Deno.TcpConn): void {
    if (!this.#open.delete(connection)) return;
    try {
      connection.close();
    } catch {
      // It is closed already.
    }
  }
}

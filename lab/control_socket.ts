/** Controls a program of `tests/peers` over its Unix socket: one JSON document per line in both directions. */
import { inTime } from "./eventually.ts";

/** A connection to such a program. */
export class ControlSocket implements Disposable {
  readonly #connection: Deno.UnixConn;
  readonly #name: string;

  private constructor(connection: Deno.UnixConn, name: string) {
    this.#connection = connection;
    this.#name = name;
  }

  /** Connects. `name`: of the program, for errors. */
  static async connect(path: string, name: string): Promise<ControlSocket> {
    return new ControlSocket(await Deno.connect({ transport: "unix", path }), name);
  }

  /** Sends a command and returns the response. One command at a time. */
  async send<Response>(command: { readonly do: string } & Readonly<Record<string, unknown>>): Promise<Response> {
    const line = new TextEncoder().encode(`${JSON.stringify(command)}\n`);
    for (let sent = 0; sent < line.length;) sent += await this.#connection.write(line.subarray(sent));
    return JSON.parse(await inTime(`${this.#name}'s response to ${command.do}`, this.#line()));
  }

  /** Closes the connection, whereupon the program ends. */
  [Symbol.dispose](): void {
    this.#connection.close();
  }

  async #line(): Promise<string> {
    const buffer = new Uint8Array(65_536);
    const decoder = new TextDecoder();
    for (let text = "";;) {
      const length = await this.#connection.read(buffer);
      if (length === null) throw new Error(`${this.#name} ended in the middle of a response`);
      text += decoder.decode(buffer.subarray(0, length), { stream: true });
      if (text.endsWith("\n")) return text;
    }
  }
}

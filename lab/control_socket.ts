/** Commands for a program of `tests/peers`, over the unix socket that it makes: one JSON document a line, either way. */
import { inTime } from "./patience.ts";

export class ControlSocket implements Disposable {
  readonly #connection: Deno.UnixConn;
  readonly #name: string;

  private constructor(connection: Deno.UnixConn, name: string) {
    this.#connection = connection;
    this.#name = name;
  }

  /** `name`: of the program, for errors. */
  static async connect(path: string, name: string): Promise<ControlSocket> {
    return new ControlSocket(await Deno.connect({ transport: "unix", path }), name);
  }

  /** One at a time: answers come in the order of the questions. */
  async ask<Answer>(command: { readonly do: string } & Readonly<Record<string, unknown>>): Promise<Answer> {
    const line = new TextEncoder().encode(`${JSON.stringify(command)}\n`);
    for (let sent = 0; sent < line.length;) sent += await this.#connection.write(line.subarray(sent));
    return JSON.parse(await inTime(`${this.#name}'s answer to ${command.do}`, this.#line()));
  }

  /** The program ends with it. */
  [Symbol.dispose](): void {
    this.#connection.close();
  }

  async #line(): Promise<string> {
    const buffer = new Uint8Array(65_536);
    const decoder = new TextDecoder();
    for (let text = "";;) {
      const length = await this.#connection.read(buffer);
      if (length === null) throw new Error(`${this.#name} ended in the middle of an answer`);
      text += decoder.decode(buffer.subarray(0, length), { stream: true });
      if (text.endsWith("\n")) return text;
    }
  }
}

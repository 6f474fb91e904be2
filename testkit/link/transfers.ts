/** Transfers through proxies that check every byte, in both directions at once. */
import { strict as assert } from "node:assert";
import type { Namespace } from "../../lab/namespace.ts";
import type { Program } from "../../lab/program.ts";
import { Proxy } from "../../lab/proxy.ts";

/** Port of `tcp_app.ts` where it serves. */
export const APP_PORT = 7000;
/** The fixtures, for `cacheProgram`. */
export const TRANSFER_PROGRAMS = [
  "tests/fixtures/tcp_app.ts",
  "tests/fixtures/crowd.ts",
  "tests/fixtures/tcp_client.ts",
];

/** A pod, or the host outside. */
interface Place {
  readonly namespace: Namespace;
}

/** Connections of a client, which are open and wait for {@link Transfers.finish}. Disposing of it ends them. */
export class Transfers implements AsyncDisposable {
  readonly #program: Program;
  readonly #count: number;

  private constructor(program: Program, count: number) {
    this.#program = program;
    this.#count = count;
  }

  /** Opens `count` connections to `host`, the address of a place with `tcp_app.ts`. Each will send and receive `bytes`. */
  static async open(from: Place, host: string, count: number, bytes: number): Promise<Transfers> {
    const args = [host, `${APP_PORT}`, `${count}`, `${bytes}`];
    const program = Proxy.fixture("tests/fixtures/crowd.ts", args, from.namespace.name);
    try {
      await program.line(/all open/);
    } catch (error) {
      await program[Symbol.asyncDispose]();
      throw error;
    }
    return new Transfers(program, count);
  }

  /** Starts sending. */
  begin(): void {
    this.#program.signal("SIGUSR2");
  }

  /** Resolves when all have ended; throws unless each has received exactly what it had sent. */
  async finish(): Promise<void> {
    const [line] = await this.#program.line(/^\d+ whole$/);
    assert.equal(line, `${this.#count} whole`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program[Symbol.asyncDispose]();
  }
}

/** Transfers `bytes` on each of `count` new connections, in both directions at once. Throws unless all arrive intact. */
export async function transfer(from: Place, host: string, count: number, bytes: number): Promise<void> {
  await using transfers = await Transfers.open(from, host, count, bytes);
  transfers.begin();
  await transfers.finish();
}

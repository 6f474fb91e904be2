/** Out of descriptors (`docs/spec/observed.md` O29): clients are disconnected, the log has one line, no CPU is used. */
import { strict as assert } from "node:assert";
import { Program } from "../lab/program.ts";

const FIXTURE = new URL("fixtures/few_descriptors.ts", import.meta.url).pathname;
const LIMIT = 80;

class Client implements Disposable {
  private constructor(readonly connection: Deno.TcpConn) {}

  static async connect(port: number): Promise<Client> {
    return new Client(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** The server's count of turns, or null where the server has ended the connection. */
  async ask(): Promise<number | null> {
    try {
      await this.connection.write(Uint8Array.of(0x3f));
      const buffer = new Uint8Array(32);
      const count = await this.connection.read(buffer);
      return count === null ? null : Number(new TextDecoder().decode(buffer.subarray(0, count)));
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe) return null;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.connection.close();
  }
}

Deno.test("observed O29: without descriptors connections are shed, logged once, and served again afterwards", async () => {
  const script = `ulimit -n ${LIMIT}; exec "${Deno.execPath()}" run -A --no-check ${FIXTURE}`;
  await using program = new Program("sh", { args: ["-c", script] });
  const port = Number((await program.line(/^port (\d+)$/))[1]);
  const served: Client[] = [];
  for (;;) {
    const client = await Client.connect(port);
    if (await client.ask() === null) {
      client[Symbol.dispose]();
      break;
    }
    served.push(client);
    assert.ok(served.length < LIMIT, "the limit was not reached");
  }
  await program.line(/^shed [1-9]\d* for EMFILE$/);
  const before = (await served[0]!.ask())!;
  const rounds = 5;
  for (let i = 0; i < rounds; i++) {
    using late = await Client.connect(port);
    assert.equal(await late.ask(), null);
  }
  const turns = (await served[0]!.ask())! - before;
  assert.ok(turns < 50 * rounds, `${turns} turns of the loop for ${rounds} connections`);
  for (const client of served.splice(1)) client[Symbol.dispose]();
  for (let tries = 0;; tries++) {
    using again = await Client.connect(port);
    if (await again.ask() !== null) break;
    assert.ok(tries < 100, "not served again");
  }
  served[0]![Symbol.dispose]();
  const { output } = await program.stop();
  const told = output.split("\n").filter((line) => line.startsWith("shed"));
  assert.ok(told.length <= 2, output);
  assert.doesNotMatch(output, /error/);
});

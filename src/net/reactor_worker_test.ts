import { strict as assert } from "node:assert";
import { wake } from "../os/wake.ts";

type Message = readonly [what: string, value?: unknown];

/** A worker whose thread belongs to its reactor. */
class ReactorWorker implements AsyncDisposable {
  readonly #worker = new Worker(new URL("testkit/reactor_worker.ts", import.meta.url), { type: "module" });
  readonly #arrived: Message[] = [];
  #wakeUp = () => {};
  #wakeDescriptor = -1;

  static async start(): Promise<ReactorWorker> {
    const worker = new ReactorWorker();
    worker.#worker.onmessage = ({ data }: MessageEvent<Message>) => {
      worker.#arrived.push(data);
      worker.#wakeUp();
    };
    worker.#wakeDescriptor = Number(await worker.next("ready"));
    return worker;
  }

  /** As the main isolate does: first the message, then the eventfd. */
  send(what: string, ms = 0): void {
    this.#worker.postMessage([what, ms]);
    wake(this.#wakeDescriptor);
  }

  /** The next message, which has to be of this kind. */
  async next(what: string): Promise<unknown> {
    if (this.#arrived.length === 0) await new Promise<void>((resolve) => this.#wakeUp = resolve);
    const [kind, value] = this.#arrived.shift()!;
    assert.equal(kind, what, `${kind}: ${value}`);
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.send("stop");
    await this.next("stopped");
    this.#worker.terminate();
  }
}

Deno.test("own thread: each message with a wake-up is handled while the loop blocks", async () => {
  await using worker = await ReactorWorker.start();
  for (let i = 0; i < 200; i++) {
    worker.send("echo");
    await worker.next("echo");
  }
});

Deno.test("own thread: many messages at once are handled, with one wake-up each", async () => {
  await using worker = await ReactorWorker.start();
  for (let i = 0; i < 100; i++) worker.send("echo");
  for (let i = 0; i < 100; i++) await worker.next("echo");
});

Deno.test("own thread: an idle loop makes no turns between its timers", async () => {
  await using worker = await ReactorWorker.start();
  worker.send("timer", 300);
  const turns = Number(await worker.next("timer"));
  assert.ok(turns >= 1 && turns < 10, `${turns} turns in 300 ms`);
});

Deno.test("own thread: an error of a callback is reported, and the loop continues", async () => {
  await using worker = await ReactorWorker.start();
  worker.send("throw");
  assert.equal(await worker.next("error"), "Error: from a callback");
  worker.send("echo");
  await worker.next("echo");
});

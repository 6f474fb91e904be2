/**
 * `deno task demo [--once] [--bytes=1GB]`: three proxies as processes of their own, traffic between them, and proof of
 * what they do with it. Needs no root and leaves nothing behind.
 *
 * Without `--once` it stays up for trying things by hand, until Ctrl-C. Exit code: 0 if every claim held, 1 if one did
 * not or something could not start, 2 for a wrong command line, 130 if it was interrupted before the end of the story.
 */
import { Claims } from "./claims.ts";
import { interruption } from "./interruption.ts";
import { type Mesh, startMesh } from "./mesh.ts";
import { type Options, parseOptions, USAGE } from "./options.ts";
import { showLine, type Stage } from "./stage.ts";
import { introduce, invite, tellStory } from "./story.ts";
import { standardTerminal, type Terminal } from "./terminal.ts";

const INTERRUPTED = 130;
const FOLLOWED = ["src.identity", "dst.addr", "dst.service", "direction", "bytes_sent", "bytes_recv", "error"];

async function main(): Promise<number> {
  const options = parseOptions(Deno.args);
  if (typeof options === "string") {
    console.error(options === USAGE ? USAGE : `${options}\n${USAGE}`);
    return options === USAGE ? 0 : 2;
  }
  const terminal = standardTerminal();
  const stack = new AsyncDisposableStack();
  const demo = new Demo(options, terminal, stack);
  try {
    return await Promise.race([demo.run(), crash(), interruption().then(() => demo.told ? 0 : INTERRUPTED)]);
  } catch (error) {
    terminal.clearProgress();
    console.error(`\n${terminal.bad("The demo failed:")} ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    terminal.clearProgress();
    await stack.disposeAsync();
  }
}

class Demo {
  /** The story has been told to its end. */
  told = false;
  readonly #options: Options;
  readonly #terminal: Terminal;
  /** Owns what was started. */
  readonly #stack: AsyncDisposableStack;

  constructor(options: Options, terminal: Terminal, stack: AsyncDisposableStack) {
    this.#options = options;
    this.#terminal = terminal;
    this.#stack = stack;
  }

  /** Ends with `--once` only; rejects when something goes wrong. */
  async run(): Promise<number> {
    const { say, bold, dim, good } = this.#terminal;
    say(bold("ztunnel: three proxies on this machine, loopback addresses in place of pods"));
    const start = performance.now();
    this.#terminal.progress(dim("   starting"));
    const mesh = await startMesh(this.#stack);
    this.#terminal.clearProgress();
    const claims = new Claims(this.#terminal);
    const stage = { mesh, terminal: this.#terminal, claims };
    introduce(stage, performance.now() - start);
    const died = Promise.race([mesh.a.died, mesh.b.died, mesh.c.died]);
    await Promise.race([tellStory(stage, this.#options.bytes), died]);
    this.told = true;
    say();
    say(good(`All ${claims.held} claims were checked and hold.`));
    if (this.#options.once) return 0;
    invite(stage);
    this.#follow(stage, mesh);
    return await died;
  }

  /** In short: whole lines have been seen. */
  #follow(stage: Stage, mesh: Mesh): void {
    const { say, dim } = this.#terminal;
    say();
    say(dim("Access lines appear here as you try. Ctrl-C ends the demo."));
    for (const node of [mesh.a, mesh.b, mesh.c]) {
      this.#stack.defer(node.watch((line) => line.scope === "access" && showLine(stage, node, line, FOLLOWED)));
    }
  }
}

/** Rejects with what nobody caught, so that even then nothing is left behind. */
function crash(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    reject(event.reason);
  });
  return promise;
}

Deno.exit(await main());

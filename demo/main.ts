/**
 * `deno task demo [--once] [--bytes=1GB]`: starts three proxies, sends traffic between them, and checks what they do
 * with it. Does not need root. Removes everything that it created.
 *
 * Without `--once` it runs until Ctrl-C, for trying things by hand. Exit code: 0 if every claim held, 1 if one did not
 * or something could not start, 2 for a wrong command line, 130 if it was interrupted before the last claim.
 */
import { Claims } from "./claims.ts";
import { interruption } from "../lab/interruption.ts";
import { type Mesh, startMesh } from "./mesh.ts";
import { type Options, parseOptions, USAGE } from "./options.ts";
import { type DemoContext, showLine } from "./chapter.ts";
import { printCommands, printIntroduction, runChapters } from "./chapters.ts";
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
    return await Promise.race([demo.run(), crash(), interruption().then(() => demo.isComplete ? 0 : INTERRUPTED)]);
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
  /** Whether all chapters have ended. */
  isComplete = false;
  readonly #options: Options;
  readonly #terminal: Terminal;
  /** Owns everything that was started. */
  readonly #stack: AsyncDisposableStack;

  constructor(options: Options, terminal: Terminal, stack: AsyncDisposableStack) {
    this.#options = options;
    this.#terminal = terminal;
    this.#stack = stack;
  }

  /** Resolves only with `--once`. Rejects when something fails. */
  async run(): Promise<number> {
    const { say, bold, dim, good } = this.#terminal;
    say(bold("ztunnel: three proxies on this machine, loopback addresses in place of pods"));
    const start = performance.now();
    this.#terminal.progress(dim("   starting"));
    const mesh = await startMesh(this.#stack);
    this.#terminal.clearProgress();
    const claims = new Claims(this.#terminal);
    const context = { mesh, terminal: this.#terminal, claims };
    printIntroduction(context, performance.now() - start);
    const died = Promise.race([mesh.a.died, mesh.b.died, mesh.c.died]);
    await Promise.race([runChapters(context, this.#options.bytes), died]);
    this.isComplete = true;
    say();
    say(good(`All ${claims.held} claims were checked and hold.`));
    if (this.#options.once) return 0;
    printCommands(context);
    this.#follow(context, mesh);
    return await died;
  }

  /** Prints access log lines, shortened. */
  #follow(context: DemoContext, mesh: Mesh): void {
    const { say, dim } = this.#terminal;
    say();
    say(dim("Access log lines of your connections appear here. Ctrl-C ends the demo."));
    for (const node of [mesh.a, mesh.b, mesh.c]) {
      this.#stack.defer(node.watch((line) => line.scope === "access" && showLine(context, node, line, FOLLOWED)));
    }
  }
}

/** Rejects with an unhandled rejection, so that cleanup runs in that case, too. */
function crash(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    reject(event.reason);
  });
  return promise;
}

Deno.exit(await main());

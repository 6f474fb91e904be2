/**
 * The program: `ztunnel [proxy | version | help]` in the main isolate, a data-plane worker in the others. One file is
 * both, so that one bundle holds everything (`docs/spec/deno-notes.md` 11).
 */
import { main } from "./app/command_line.ts";
import { runWorker, type WorkerScope } from "./dataplane/worker.ts";

const bundledLibrary = Deno.env.get("ZTUNNEL_BUNDLED_TLS_LIBRARY");
const scope = globalThis as { WorkerGlobalScope?: new () => unknown };

if (scope.WorkerGlobalScope !== undefined && globalThis instanceof scope.WorkerGlobalScope) {
  runWorker(globalThis as unknown as WorkerScope, bundledLibrary);
} else {
  await main(Deno.args, () => new Worker(import.meta.url, { type: "module", name: "data-plane" }));
}

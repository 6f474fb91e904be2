/**
 * The program: `ztunnel [COMMAND]` in the main isolate, a data-plane worker in the others. One file is
 * both, since a bundler does not follow workers (`docs/spec/deno-notes.md` 11); each loads only its own half.
 */
const scope = globalThis as { WorkerGlobalScope?: new () => unknown };

if (scope.WorkerGlobalScope !== undefined && globalThis instanceof scope.WorkerGlobalScope) {
  // Messages that arrive during the import would be lost, as no handler is set yet.
  const self = globalThis as unknown as { onmessage: ((event: MessageEvent) => void) | null };
  const early: MessageEvent[] = [];
  self.onmessage = (event) => early.push(event);
  const { runWorker } = await import("./src/dataplane/worker.ts");
  runWorker(globalThis as never, Deno.env.get("ZTUNNEL_BUNDLED_TLS_LIBRARY"));
  for (const event of early) self.onmessage(event);
} else {
  const { checkPermissions } = await import("./src/app/check_permissions.ts");
  const { startsProxy } = await import("./src/cli/starts_proxy.ts");
  const isProxy = startsProxy(Deno.args);
  await checkPermissions(import.meta.filename!, isProxy);
  // As early as permissions allow it: until then the signal would end the process.
  const { ignoreDebuggerSignal } = await import("./src/os/debugger_signal.ts");
  ignoreDebuggerSignal();
  // Until the configuration says more, and before there is a thread that allocates a lot.
  const { limitArenas } = await import("./src/os/memory.ts");
  limitArenas(1);
  const newWorker = () => new Worker(import.meta.url, { type: "module", name: "data-plane" });
  // Every proxy has a worker. Loading its half takes half of the start time, so both halves load at once.
  let first = isProxy ? newWorker() : null;
  const { main } = await import("./src/cli/command_line.ts");
  await main(Deno.args, () => {
    const worker = first ?? newWorker();
    first = null;
    return worker;
  });
}

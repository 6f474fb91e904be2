/**
 * The program: `ztunnel [proxy | version | help]` in the main isolate, a data-plane worker in the others. One file is
 * both, so that one bundle holds everything (`docs/spec/deno-notes.md` 11); each loads only its own half.
 */
const scope = globalThis as { WorkerGlobalScope?: new () => unknown };

if (scope.WorkerGlobalScope !== undefined && globalThis instanceof scope.WorkerGlobalScope) {
  // What main sends while the import is under way would be lost: nobody listens yet.
  const self = globalThis as unknown as { onmessage: ((event: MessageEvent) => void) | null };
  const early: MessageEvent[] = [];
  self.onmessage = (event) => early.push(event);
  const { runWorker } = await import("./dataplane/worker.ts");
  runWorker(globalThis as never, Deno.env.get("ZTUNNEL_BUNDLED_TLS_LIBRARY"));
  for (const event of early) self.onmessage(event);
} else {
  const { checkPermissions } = await import("./app/check_permissions.ts");
  await checkPermissions(import.meta.filename!, Deno.args[0] === undefined || Deno.args[0] === "proxy");
  // As early as there is the permission for it: until then the signal would end the process.
  const { ignoreDebuggerSignal } = await import("./os/debugger_signal.ts");
  ignoreDebuggerSignal();
  const { main } = await import("./app/command_line.ts");
  await main(Deno.args, () => new Worker(import.meta.url, { type: "module", name: "data-plane" }));
}

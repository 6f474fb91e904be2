/** Standard output as the log of all isolates. The main isolate opens it and passes it to the workers. */
import { openOutput, type Output, writeOutput } from "../os/standard_output.ts";
import type { Log } from "./log.ts";
import { LogWriter, type LogWriterOwner } from "./log_writer.ts";
import { OutputTurn } from "./output_turn.ts";

/** An output, as plain data that can be sent to workers. */
export interface LogOutput {
  readonly output: Output;
  /** Shared memory of {@link OutputTurn}. */
  readonly turn: SharedArrayBuffer;
}

/** Opens the output; called once per process. `fd`: 1 for standard output, 2 for standard error. */
export function openLogOutput(fd: 1 | 2): LogOutput {
  return { output: openOutput(fd), turn: new SharedArrayBuffer(4) };
}

/** A writer to the output, for one isolate. */
export function writerTo({ output, turn }: LogOutput, owner?: LogWriterOwner): LogWriter {
  return new LogWriter({ write: (bytes) => writeOutput(output, bytes) }, owner, new OutputTurn(turn));
}

/** Logs that lines were dropped, for {@link LogWriterOwner.onDropped}. */
export function logDropped(log: Log, count: number): void {
  log.scope("ztunnel::telemetry").warn(
    `${count} log lines were dropped, as standard output took no more: its reader is too slow or has stalled ` +
      `(container runtime, full disk)`,
  );
}

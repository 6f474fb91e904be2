/** Runs the commands beside `proxy` (`docs/spec/config-admin.md` 1.14). */
import { CommanderError } from "commander";
import { makeProgram } from "./program.ts";
import type { Terminal } from "./terminal.ts";

/** `version`: what `ztunnel version` prints. Returns the exit code. */
export async function runCommand(args: readonly string[], terminal: Terminal, version: string): Promise<number> {
  let exitCode = 0;
  try {
    await makeProgram(terminal, version, (code) => exitCode = code).parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    throw error;
  }
}

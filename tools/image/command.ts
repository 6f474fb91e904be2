/** Starts the programs of which images are made. */

/** Where and with which variables a program runs. */
interface CommandOptions {
  readonly cwd?: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program and returns its standard output. Rejected with its standard error when it fails. */
export async function output(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const program = new Deno.Command(command, { args: [...args], stdin: "null", ...options });
  const { success, stdout, stderr } = await program.output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${command} ${args.join(" ")} failed: ${text.decode(stderr).trim()}`);
  return text.decode(stdout);
}

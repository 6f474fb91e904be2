/**
 * Makes or removes a folder below `/sys`, such as a control group. Returns the error's text; null: it is done. A program
 * does it, as the runtime allows itself writes below `/sys` only where it has all permissions.
 */
export function changeSystemFolder(program: "mkdir" | "rmdir", path: string): string | null {
  const { success, stderr } = new Deno.Command(program, { args: [path], stdout: "null", stderr: "piped" }).outputSync();
  return success ? null : new TextDecoder().decode(stderr);
}

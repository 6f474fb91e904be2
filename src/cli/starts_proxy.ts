/**
 * Whether a command line starts the proxy: it is empty or begins with `proxy`, and has no option. The proxy has none, and
 * further words change nothing, as in the Rust ztunnel (`docs/spec/config-admin.md` 1.14). With an option the command
 * line is left to `commands.ts`, which prints help or refuses the option.
 */
export function startsProxy([command = "proxy", ...words]: readonly string[]): boolean {
  return command === "proxy" && !words.some((word) => word.startsWith("-"));
}

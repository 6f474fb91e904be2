/**
 * A configuration that cannot be used. The message is complete: `main` prints it after `Error: ` and exits with
 * {@link ConfigError.exitCode} (`docs/spec/config-admin.md` 1.1, 7.5).
 */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** 1, or 101 for errors that make the Rust ztunnel panic with that code. */
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** `invalid env var NAME=VALUE (REASON)` */
export function invalidVariable(name: string, value: string, reason: string): ConfigError {
  return new ConfigError(`invalid env var ${name}=${value} (${reason})`);
}

/** `invalid configuration: …`: values that are well formed and do not fit together. */
export function invalidConfiguration(text: string): ConfigError {
  return new ConfigError(`invalid configuration: ${text}`);
}

/** `error parsing proxy config: …` */
export function invalidProxyConfig(text: string): ConfigError {
  return new ConfigError(`error parsing proxy config: ${text}`);
}

/** The admin port of a proxy on this machine, unless a command is told another one: `host:port`. */
export const DEFAULT_ADMIN = "127.0.0.1:15000";

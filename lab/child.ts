/** Common options of the processes that the demo and the tests start. */

/**
 * Arguments before a command, by which it is killed when the process that started it ends in any way. The command keeps
 * the pid. A command that changes its user must repeat them (prctl(2), PR_SET_PDEATHSIG).
 */
export const WITH_PARENT = ["setpriv", "--pdeathsig", "KILL"] as const;

/** Variables that name programs, libraries, caches and temporary files. */
const INHERITED =
  /^(PATH|HOME|TMPDIR|XDG_CACHE_HOME|LD_LIBRARY_PATH|TLS_LIBRARY|ZTUNNEL_UNPACK_DIR|DENO_.*|npm_config_.*|(https?|no)_proxy|SSL_CERT_.*)$/i;

/** Returns the variables of this process's environment that a program of this project needs to start. */
export function inheritedEnvironment(): Record<string, string> {
  return Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => INHERITED.test(name)));
}

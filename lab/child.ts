/** What every process is given that the demo or a test starts: an end, and the little that it needs to start. */

/**
 * Words before a command: it is killed when the process that started it is gone, however that ended. The process id
 * stays the command's own. What changes its user afterwards must say it again (prctl(2), PR_SET_PDEATHSIG).
 */
export const WITH_PARENT = ["setpriv", "--pdeathsig", "KILL"] as const;

/** Where programs, libraries and caches are, and temporary files. */
const INHERITED =
  /^(PATH|HOME|TMPDIR|XDG_CACHE_HOME|LD_LIBRARY_PATH|TLS_LIBRARY|ZTUNNEL_UNPACK_DIR|DENO_.*|npm_config_.*|(https?|no)_proxy|SSL_CERT_.*)$/i;

/** What a program of ours needs of this process's environment to start. */
export function inheritedEnvironment(): Record<string, string> {
  return Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => INHERITED.test(name)));
}

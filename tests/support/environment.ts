/** What a program of ours needs of this process's environment to start: where programs, libraries and caches are. */
const INHERITED =
  /^(PATH|HOME|TMPDIR|XDG_CACHE_HOME|LD_LIBRARY_PATH|TLS_LIBRARY|ZTUNNEL_UNPACK_DIR|DENO_.*|npm_config_.*|(https?|no)_proxy|SSL_CERT_.*)$/i;

/** The runtime does not look for a newer one: where DNS is captured that would be a question to the proxy under test. */
const QUIET = { DENO_NO_UPDATE_CHECK: "1" };

export function inheritedEnvironment(): Record<string, string> {
  return {
    ...Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => INHERITED.test(name))),
    ...QUIET,
  };
}

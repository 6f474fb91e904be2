/** Variables that programs around the proxy read: the executable's first step, builds, tests, demo and benchmarks. */

export interface OtherVariable {
  readonly fallback: string;
  readonly text: string;
}

export const EXECUTABLE: Readonly<Record<string, OtherVariable>> = {
  ZTUNNEL_UNPACK_DIR: {
    fallback: "root: `/var/cache/ztunnel`; others: the first usable of `$XDG_CACHE_HOME/ztunnel`, " +
      "`$HOME/.cache/ztunnel` and `$TMPDIR/ztunnel-UID`",
    text:
      "Folder into which the executable unpacks itself on its first start. Only root and the proxy's user may be able " +
      "to write to it.",
  },
  XDG_CACHE_HOME: { fallback: "", text: "See `ZTUNNEL_UNPACK_DIR`. Builds keep their results below it, too." },
  HOME: { fallback: "", text: "See `ZTUNNEL_UNPACK_DIR`." },
  TMPDIR: { fallback: "`/tmp`", text: "See `ZTUNNEL_UNPACK_DIR`." },
  ZTUNNEL_BUNDLED_TLS_LIBRARY: {
    fallback: "",
    text:
      "Set by the executable itself, for its threads: the TLS library it contains. Set `TLS_LIBRARY` to use another.",
  },
};

export const DEVELOPMENT: Readonly<Record<string, OtherVariable>> = {
  VERSION: {
    fallback: "that of `deno.json`, followed by `-dev` unless the revision has the tag of that version",
    text: "`compile.sh`: the version that `ztunnel version` reports.",
  },
  REVISION: { fallback: "the git revision", text: "`compile.sh`: the revision that `ztunnel version` reports." },
  STATUS: { fallback: "as git says", text: "`compile.sh`: `Clean` or `Modified`." },
  BUNDLED_TLS_LIBRARY: {
    fallback: "what `tools/build_aws_lc.sh` has built, else what `tools/build_openssl.sh` has built",
    text:
      "`compile.sh`: path of the TLS library that the executable contains; `none`: it uses the system's. Of it, images " +
      "and releases take `none` only.",
  },
  CC: { fallback: "`cc`", text: "`compile.sh`: the C compiler." },
  CPPFLAGS: { fallback: "", text: "`compile.sh`: where another machine's header of zlib is." },
  LDFLAGS: { fallback: "", text: "`compile.sh`: where another machine's zlib is." },
  SOURCE_DATE_EPOCH: { fallback: "when the commit was made", text: "Releases: the time of all files, in seconds." },
  DEBIAN_MIRROR: { fallback: "that of this machine", text: "Images: where Debian's packages come from." },
  DEBIAN_SECURITY_MIRROR: {
    fallback: "that of this machine",
    text: "Images: where Debian's security updates come from.",
  },
  ZTUNNEL_PEER: { fallback: "", text: "Tests and benchmarks: path of a Rust ztunnel to compare and to connect with." },
  CI: {
    fallback: "",
    text: "Tests: with `true`, a test that lacks a program which CI installs fails; otherwise it is listed as skipped.",
  },
  FUZZ_ROUNDS: { fallback: "1", text: "Tests with random input: how many times as many rounds." },
  FUZZ_SEED: { fallback: "fixed", text: "Tests with random input: where the random numbers begin." },
  ZTUNNEL_IMAGE: {
    fallback: "made of the tree",
    text: "Scenarios in a real Kubernetes: the OCI archive of the image to run.",
  },
  ZTUNNEL_EXECUTABLE: { fallback: "", text: "Demo: an executable to run in place of the source." },
  PATH: { fallback: "", text: "Tests and benchmarks look for other programs there." },
};

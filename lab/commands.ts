/**
 * The commands that tests start. A name alone does not suffice: `nc` may be one of four programs, and BusyBox has reduced
 * versions of many. Therefore a probe checks what a command supports before a test uses it.
 */

/** A command and its requirements. */
interface Command {
  /** Debian packages that contain it. */
  readonly packages: string;
  /** Another name or path under which these packages install it. */
  readonly alias?: string;
  /** Arguments whose output, on standard output or standard error, must match. */
  readonly probe?: { readonly args: readonly string[]; readonly output: RegExp };
  /** The requirement in words. */
  readonly ability?: string;
}

/** Debian's Python, where another one is the first in `PATH`. */
const SYSTEM_PYTHON = "/usr/bin/python3";

const UTIL_LINUX = { probe: { args: ["--version"], output: /util-linux/ }, ability: "be that of util-linux" };

/** All commands that tests may need. */
const COMMANDS = {
  "aarch64-linux-gnu-g++": { packages: "g++-aarch64-linux-gnu" },
  "aarch64-linux-gnu-gcc": { packages: "gcc-aarch64-linux-gnu libc6-dev-arm64-cross" },
  aiosmtpd: { packages: "python3-aiosmtpd" },
  "apt-get": { packages: "apt" },
  bash: { packages: "bash", probe: { args: ["--version"], output: /version [4-9]/ }, ability: "be version 4 or later" },
  cc: { packages: "gcc libc6-dev" },
  "c++": { packages: "g++" },
  chromium: { packages: "chromium" },
  cmake: { packages: "cmake" },
  conntrack: { packages: "conntrack" },
  curl: { packages: "curl" },
  dig: { packages: "dnsutils" },
  dnsmasq: { packages: "dnsmasq-base" },
  dnsperf: { packages: "dnsperf" },
  "dpkg-deb": { packages: "dpkg" },
  fish: { packages: "fish" },
  h2load: { packages: "nghttp2-client" },
  ip: { packages: "iproute2", probe: { args: ["-V"], output: /iproute2/ }, ability: "be that of iproute2" },
  iperf3: { packages: "iperf3" },
  iptables: { packages: "iptables" },
  make: { packages: "make" },
  mariadb: { packages: "mariadb-client" },
  mariadbd: { packages: "mariadb-server" },
  mosquitto: { packages: "mosquitto" },
  mosquitto_sub: { packages: "mosquitto-clients" },
  msmtp: { packages: "msmtp" },
  nc: {
    packages: "netcat-openbsd",
    alias: "nc.openbsd",
    probe: { args: ["-h"], output: /^\s*-N\s+Shutdown/m },
    ability: "have the option -N, which ends one direction",
  },
  nft: { packages: "nftables" },
  nginx: { packages: "nginx-full" },
  "nats-server": { packages: "nats-server" },
  nghttp: { packages: "nghttp2-client" },
  openssl: {
    packages: "openssl",
    probe: { args: ["version"], output: /^OpenSSL ([3-9]|\d\d)\./ },
    ability: "be OpenSSL 3",
  },
  pgbench: {
    packages: "postgresql",
    probe: { args: ["--version"], output: /PostgreSQL/ },
    ability: "have a version of PostgreSQL installed",
  },
  prometheus: { packages: "prometheus" },
  promtool: { packages: "prometheus" },
  python3: {
    packages: "python3-grpcio",
    alias: SYSTEM_PYTHON,
    probe: { args: ["-c", "import grpc; print(grpc.__version__)"], output: /^\d+\.\d+/ },
    ability: "have the module grpc",
  },
  "redis-benchmark": { packages: "redis-tools" },
  "redis-server": { packages: "redis-server" },
  rsync: { packages: "rsync" },
  script: { packages: "bsdutils", ...UTIL_LINUX },
  setpriv: { packages: "util-linux", ...UTIL_LINUX },
  ssh: { packages: "openssh-client" },
  sshd: { packages: "openssh-server" },
  strace: { packages: "strace" },
  sysbench: { packages: "sysbench" },
  "systemd-analyze": { packages: "systemd" },
  tcpdump: { packages: "tcpdump" },
  unshare: { packages: "util-linux", ...UTIL_LINUX },
  wrk: { packages: "wrk" },
  zsh: { packages: "zsh" },
} as const satisfies Readonly<Record<string, Command>>;

/** The name of such a command. */
export type CommandName = keyof typeof COMMANDS;

/** The programs of a machine. Tests replace it. */
export interface Programs {
  /** Returns whether a program of that name is in `PATH`, or is at that path. */
  readonly has: (name: string) => boolean;
  /** Returns its output on both streams; "" where it cannot be started. */
  readonly prints: (name: string, args: readonly string[]) => string;
}

/** The name by which to start a command, or why there is none. */
type Found =
  | { readonly ok: true; readonly name: string }
  | { readonly ok: false; readonly reason: string; readonly cure: string };

/** Finds a program that meets the requirements of a command. */
export function findCommand(command: CommandName, programs: Programs): Found {
  const { packages, alias, probe, ability }: Command = COMMANDS[command];
  const names = [command, ...alias === undefined ? [] : [alias]].filter(programs.has);
  const cure = `apt-get install ${packages}`;
  if (names.length === 0) return { ok: false, reason: `${command} is missing`, cure };
  const able = names.find((name) => probe === undefined || probe.output.test(programs.prints(name, probe.args)));
  return able === undefined ? { ok: false, reason: `${command} must ${ability}`, cure } : { ok: true, name: able };
}

/** The programs of this machine. The output of each is cached. */
export const INSTALLED: Programs = {
  has: (name) =>
    name.startsWith("/")
      ? isProgram(name)
      : (Deno.env.get("PATH") ?? "").split(":").some((folder) => isProgram(`${folder}/${name}`)),
  prints: cached((name, args) => {
    try {
      const { stdout, stderr } = new Deno.Command(name, { args: [...args], stdin: "null" }).outputSync();
      return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    } catch {
      return "";
    }
  }),
};

/** Returns the name by which to start a command; the command itself where none is suitable, as tests are skipped then. */
export function commandName(command: CommandName): string {
  const found = findCommand(command, INSTALLED);
  return found.ok ? found.name : command;
}

function isProgram(path: string): boolean {
  try {
    const info = Deno.statSync(path);
    return info.isFile && ((info.mode ?? 0) & 0o111) !== 0;
  } catch {
    return false;
  }
}

function cached(probe: Programs["prints"]): Programs["prints"] {
  const outputs = new Map<string, string>();
  return (name, args) => {
    const key = [name, ...args].join(" ");
    const output = outputs.get(key) ?? probe(name, args);
    outputs.set(key, output);
    return output;
  };
}

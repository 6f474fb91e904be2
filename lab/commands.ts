/**
 * The commands that tests start. A name says little: `nc` may be one of four programs, and BusyBox has small versions of
 * many. So a command is asked what it can do before a test relies on it.
 */

interface Command {
  /** Debian packages that bring it. */
  readonly packages: string;
  /** Another name under which these packages install it. */
  readonly alias?: string;
  /** Asks what it can do. The answer on standard output or standard error must match. */
  readonly probe?: { readonly args: readonly string[]; readonly answer: RegExp };
  /** For people: what it must be able to do. */
  readonly ability?: string;
}

const UTIL_LINUX = { probe: { args: ["--version"], answer: /util-linux/ }, ability: "be that of util-linux" };

const COMMANDS = {
  cc: { packages: "gcc libc6-dev" },
  conntrack: { packages: "conntrack" },
  curl: { packages: "curl" },
  dig: { packages: "dnsutils" },
  dnsmasq: { packages: "dnsmasq-base" },
  dnsperf: { packages: "dnsperf" },
  h2load: { packages: "nghttp2-client" },
  ip: { packages: "iproute2", probe: { args: ["-V"], answer: /iproute2/ }, ability: "be that of iproute2" },
  iperf3: { packages: "iperf3" },
  iptables: { packages: "iptables" },
  nc: {
    packages: "netcat-openbsd",
    alias: "nc.openbsd",
    probe: { args: ["-h"], answer: /^\s*-N\s+Shutdown/m },
    ability: "have the option -N, which ends one direction",
  },
  nft: { packages: "nftables" },
  nginx: { packages: "nginx-full" },
  openssl: {
    packages: "openssl",
    probe: { args: ["version"], answer: /^OpenSSL ([3-9]|\d\d)\./ },
    ability: "be OpenSSL 3",
  },
  script: { packages: "bsdutils", ...UTIL_LINUX },
  setpriv: { packages: "util-linux", ...UTIL_LINUX },
  strace: { packages: "strace" },
  tcpdump: { packages: "tcpdump" },
  unshare: { packages: "util-linux", ...UTIL_LINUX },
  wrk: { packages: "wrk" },
} as const satisfies Readonly<Record<string, Command>>;

export type CommandName = keyof typeof COMMANDS;

/** What is asked of the machine. Tests replace it. */
export interface Programs {
  /** Whether a program of that name is in `PATH`. */
  readonly has: (name: string) => boolean;
  /** What it prints, on standard output and standard error; "" where it cannot be started. */
  readonly prints: (name: string, args: readonly string[]) => string;
}

/** The name to start a command by, or why there is none. */
type Found =
  | { readonly ok: true; readonly name: string }
  | { readonly ok: false; readonly reason: string; readonly cure: string };

export function findCommand(wanted: CommandName, programs: Programs): Found {
  const { packages, alias, probe, ability }: Command = COMMANDS[wanted];
  const names = [wanted, ...alias === undefined ? [] : [alias]].filter(programs.has);
  const cure = `apt-get install ${packages}`;
  if (names.length === 0) return { ok: false, reason: `${wanted} is missing`, cure };
  const able = names.find((name) => probe === undefined || probe.answer.test(programs.prints(name, probe.args)));
  return able === undefined ? { ok: false, reason: `${wanted} must ${ability}`, cure } : { ok: true, name: able };
}

/** The programs of this machine. Each is asked once. */
export const INSTALLED: Programs = {
  has: (name) => (Deno.env.get("PATH") ?? "").split(":").some((folder) => isProgram(`${folder}/${name}`)),
  prints: remembered((name, args) => {
    try {
      const { stdout, stderr } = new Deno.Command(name, { args: [...args], stdin: "null" }).outputSync();
      return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    } catch {
      return "";
    }
  }),
};

/** The name to start a command by. The command itself where no program can do what is needed: a test then skips. */
export function commandName(wanted: CommandName): string {
  const found = findCommand(wanted, INSTALLED);
  return found.ok ? found.name : wanted;
}

function isProgram(path: string): boolean {
  try {
    const info = Deno.statSync(path);
    return info.isFile && ((info.mode ?? 0) & 0o111) !== 0;
  } catch {
    return false;
  }
}

function remembered(ask: Programs["prints"]): Programs["prints"] {
  const answers = new Map<string, string>();
  return (name, args) => {
    const key = [name, ...args].join(" ");
    const answer = answers.get(key) ?? ask(name, args);
    answers.set(key, answer);
    return answer;
  };
}

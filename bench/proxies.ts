/**
 * The proxies that are compared: how each is started between a client and an application, and what it reports of
 * itself.
 */
import { existsSync } from "node:fs";
import { productFlags } from "../lab/product_flags.ts";
import { STREAM_PORTS, streamConfig } from "./nginx.ts";
import { type Processes, type Started, waitForPorts } from "./processes.ts";
import type { PairSetup, ProxyUnderTest, Ztunnel } from "./pair.ts";
import type { Side } from "./rig.ts";
import { AWS_LC, builtLibrary, mappedTlsLibrary, OPENSSL } from "./tls_library.ts";
import { type CommandFor, type Mode, startZtunnels } from "./ztunnels.ts";

/** The command that starts such a proxy from the top of the repository. */
export function commandOf({ executable }: Ztunnel): CommandFor {
  if (executable !== null) return () => [executable];
  return (settings) => [Deno.execPath(), "run", ...productFlags(settings), "main.ts"];
}

const REPOSITORY = new URL("../", import.meta.url).pathname;
const START_MILLIS = 30_000;

/** No proxy. */
const direct: ProxyUnderTest = {
  id: "direct",
  title: "direct",
  entry: "none",
  ztunnel: null,
  start: () => Promise.resolve({ client: null, server: null, tls: "none" }),
};

/** nginx as a TCP proxy with TLS. */
const nginxStream: ProxyUnderTest = {
  id: "nginx",
  title: "nginx stream TLS",
  entry: "redirect-each",
  ztunnel: null,
  async start(setup) {
    await selfSigned(setup.processes, setup.directory);
    const server = await startNginx(setup, "server");
    const client = await startNginx(setup, "client");
    return { client, server, tls: mappedTlsLibrary(server.pid) ?? "unknown" };
  },
};

/** The Rust ztunnel at `path`. */
function rustZtunnel(path: string, mode: Mode = "dedicated"): ProxyUnderTest {
  return {
    ...named("rust", "Rust ztunnel", mode),
    entry: "redirect-all",
    ztunnel: mode === "dedicated" ? { executable: path, env: {} } : null,
    async start(setup) {
      const provider = /CryptoProvider:"([^"]+)"/.exec(await setup.processes.run([path, "version"]))?.[1] ?? "unknown";
      return { ...await startZtunnels(setup, () => [path], {}, mode), tls: provider };
    },
  };
}

/** How this project's proxy is started. */
interface OursOptions {
  /** The id and title of the variant, and the value of its `TLS_LIBRARY`; null: the system's library. */
  readonly variant?: OursVariant;
  /** The path of the executable; null: the sources. */
  readonly executable?: string | null;
  readonly mode?: Mode;
  /** Further variables for both sides. */
  readonly env?: Readonly<Record<string, string>>;
}

interface OursVariant {
  readonly id: string;
  readonly title: string;
  readonly library: string | null;
}

const WITH_SYSTEM_LIBRARY: OursVariant = { id: "ours", title: "ours, system's OpenSSL", library: null };

/** This project's proxy. */
export function ours(options: OursOptions = {}): ProxyUnderTest {
  const { variant: { id, title, library } = WITH_SYSTEM_LIBRARY, executable = null, mode = "dedicated" } = options;
  const ztunnel = { executable, env: { ...(library === null ? {} : { TLS_LIBRARY: library }), ...options.env } };
  return {
    ...named(id, title, mode),
    entry: "redirect-all",
    ztunnel: mode === "dedicated" ? ztunnel : null,
    async start(setup) {
      // The namespaces have no Internet access, so everything that the program imports is cached before.
      if (executable === null) await setup.processes.run([Deno.execPath(), "cache", "--quiet", `${REPOSITORY}main.ts`]);
      const env = {
        LOCAL_CA_CERT: `${setup.directory}/ca.pem`,
        LOCAL_CA_KEY: `${setup.directory}/ca.key`,
        ...ztunnel.env,
      };
      const pair = await startZtunnels(setup, commandOf(ztunnel), env, mode);
      return { ...pair, tls: pair.client === null ? "unknown" : mappedTlsLibrary(pair.client.pid) ?? "unknown" };
    },
  };
}

/** Suffix of ids in shared mode; without it, an id is the same program in dedicated mode. */
export const SHARED_SUFFIX = "-shared";

function named(id: string, title: string, mode: Mode): Pick<ProxyUnderTest, "id" | "title"> {
  return mode === "dedicated" ? { id, title } : { id: `${id}${SHARED_SUFFIX}`, title: `${title}, shared mode` };
}

/**
 * The kinds that can run here, in the order of the report. `skipped`: what is missing and why. `modes`: modes of the
 * ztunnels. `executable`: that of this project's proxy, null: its sources.
 */
export function available(
  modes: readonly Mode[],
  executable: string | null,
): { readonly kinds: ProxyUnderTest[]; readonly skipped: string[] } {
  const kinds = [direct, nginxStream];
  const skipped: string[] = [];
  const rust = Deno.env.get("ZTUNNEL_PEER") ?? "";
  if (rust !== "" && existsSync(rust)) kinds.push(...modes.map((mode) => rustZtunnel(rust, mode)));
  else skipped.push("Rust ztunnel: ZTUNNEL_PEER does not name an executable");
  if (!existsSync(`${REPOSITORY}main.ts`)) {
    return { kinds, skipped: [...skipped, "ours: main.ts is not there"] };
  }
  kinds.push(...modes.map((mode) => ours({ executable, mode })));
  for (const [id, built] of [["ours-3.5", OPENSSL], ["ours-aws-lc", AWS_LC]] as const) {
    const library = builtLibrary(built);
    const variant = { id, title: `ours, ${built.name}`, library };
    if (library !== null) kinds.push(...modes.map((mode) => ours({ variant, executable, mode })));
    else skipped.push(`ours with ${built.name}: ${built.script} was not run`);
  }
  return { kinds, skipped };
}

async function startNginx(setup: PairSetup, side: Side): Promise<Started> {
  const home = `${setup.directory}/nginx-${side}`;
  Deno.mkdirSync(home);
  const config = streamConfig(setup.link, home, side, setup.directory);
  Deno.writeTextFileSync(`${home}/nginx.conf`, streamModule() + config);
  const argv = [...setup.link.inside(side), "nginx", "-p", home, "-e", `${home}/error.log`, "-c", `${home}/nginx.conf`];
  const child = setup.processes.start(`nginx-${side}`, argv);
  await waitForPorts(child, STREAM_PORTS.map((ports) => ports[side]), START_MILLIS);
  if (side === "server" || setup.link.kind === "loopback") return child;
  for (const ports of STREAM_PORTS) await setup.link.redirect(ports.app, ports.client);
  return child;
}

/** Loads the stream module, which is a separate file in Debian. */
function streamModule(): string {
  const path = "/usr/lib/nginx/modules/ngx_stream_module.so";
  return existsSync(path) ? `load_module ${path};\n` : "";
}

/** One self-signed certificate that both sides use and trust. */
async function selfSigned(processes: Processes, directory: string): Promise<void> {
  const files = ["-keyout", `${directory}/key.pem`, "-out", `${directory}/cert.pem`];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const subject = ["-subj", "/CN=bench", "-addext", "subjectAltName=DNS:bench", "-days", "2"];
  await processes.run(["openssl", "req", "-x509", ...key, ...files, ...subject]);
}

/**
 * The Debian packages of the image. `packages.json` pins them by version and SHA-256; apt downloads them, for whichever
 * architecture, into a cache. None is installed and none of their scripts runs.
 */
import { output } from "./command.ts";
import type { Platform } from "./platform.ts";

/** A package as it is pinned. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  /** Of the `.deb` file. */
  readonly sha256: string;
}

/** The release of Debian whose OpenSSL is 3.5. */
const SUITE = "trixie";
const LOCK = new URL("packages.json", import.meta.url);
/** Those of which the image has files (`rootfs.ts`), and zlib for the launcher of a single executable. */
const NAMES = [
  "base-files",
  "ca-certificates",
  "gcc-14-base",
  "libc6",
  "libgcc-s1",
  "libssl3t64",
  "libzstd1",
  "openssl-provider-fips",
  "zlib1g",
  "zlib1g-dev",
];
const SNAPSHOT = "http://snapshot.debian.org/archive";

interface Lock extends Readonly<Record<Platform["architecture"], readonly DebianPackage[]>> {
  /** When these were the newest ones, as Debian's snapshots are named: `20261201T000000Z`. */
  readonly taken: string;
}

function readLock(): Lock {
  return JSON.parse(Deno.readTextFileSync(LOCK)) as Lock;
}

/** What to do about a package that the mirror does not have. */
function cure(): string {
  const { taken } = readLock();
  return "`deno task image --update-packages` pins what Debian has now; test that, and commit tools/image/packages.json. " +
    `To build what is pinned, set DEBIAN_MIRROR=${SNAPSHOT}/debian/${taken} and ` +
    `DEBIAN_SECURITY_MIRROR=${SNAPSHOT}/debian-security/${taken}`;
}

/** The pinned packages of an architecture. */
export function pinnedPackages({ architecture }: Platform): readonly DebianPackage[] {
  return readLock()[architecture];
}

/** The folder for what is kept from one build to the next. */
function cacheFolder(): string {
  const base = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`;
  return `${base}/ztunnel-build/debian`;
}

/** Downloads the pinned packages that the cache does not have. Returns the paths of the `.deb` files by their names. */
export async function fetchPackages(platform: Platform): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const missing: DebianPackage[] = [];
  for (const pinned of pinnedPackages(platform)) {
    const path = `${cacheFolder()}/${pinned.sha256}.deb`;
    if (await digestOf(path) === pinned.sha256) found.set(pinned.name, path);
    else missing.push(pinned);
  }
  if (missing.length === 0) return found;
  const apt = await Apt.updated(platform);
  for (const { name, version, sha256 } of missing) {
    const folder = await Deno.makeTempDir({ dir: cacheFolder(), prefix: "download-" });
    try {
      await apt.run("apt-get", ["download", "-qq", `${name}=${version}`], folder).catch((error: Error) => {
        throw new Error(
          `Debian has no ${name} ${version} for ${platform.architecture} any more. ${cure()} (${error.message})`,
        );
      });
      const [file] = [...Deno.readDirSync(folder)];
      const path = `${folder}/${file!.name}`;
      const digest = await digestOf(path);
      if (digest !== sha256) {
        throw new Error(`${file!.name} has SHA-256 ${digest}, and ${LOCK.pathname} has ${sha256}; ${cure()}`);
      }
      await Deno.rename(path, `${cacheFolder()}/${sha256}.deb`);
      found.set(name, `${cacheFolder()}/${sha256}.deb`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
  return found;
}

/** Writes `packages.json` anew, with the versions that Debian has now. */
export async function updatePackages(platforms: readonly Platform[]): Promise<void> {
  const taken = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const lock: Record<string, string | DebianPackage[]> = { taken };
  for (const platform of platforms) {
    const apt = await Apt.updated(platform);
    const packages: DebianPackage[] = [];
    for (const name of NAMES) {
      const fields = await apt.run("apt-cache", ["show", "--no-all-versions", name]);
      const field = (key: string) => new RegExp(`^${key}: (.*)$`, "m").exec(fields)?.[1] ?? "";
      packages.push({ name, version: field("Version"), sha256: field("SHA256") });
    }
    lock[platform.architecture] = packages;
  }
  await Deno.writeTextFile(LOCK, JSON.stringify(lock, null, 2) + "\n");
}

/** Apt with lists and a configuration of its own, so that those of the machine stay as they are. */
class Apt {
  readonly #config: string;

  private constructor(config: string) {
    this.#config = config;
  }

  static async updated({ architecture }: Platform): Promise<Apt> {
    const folder = `${cacheFolder()}/apt-${architecture}`;
    await Deno.mkdir(`${folder}/lists/partial`, { recursive: true });
    await Deno.mkdir(`${folder}/cache/archives/partial`, { recursive: true });
    const { main, security } = await mirrors();
    const old = /snapshot/.test(main) ? " check-valid-until=no" : ""; // its index has expired
    const from = `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg${old}]`;
    await Deno.writeTextFile(
      `${folder}/sources.list`,
      `${from} ${main} ${SUITE} main\n${from} ${main} ${SUITE}-updates main\n${from} ${security} ${SUITE}-security main\n`,
    );
    await Deno.writeTextFile(`${folder}/status`, "");
    const settings = {
      "Dir::State::Lists": `${folder}/lists`,
      "Dir::State::status": `${folder}/status`,
      "Dir::Cache": `${folder}/cache`,
      "Dir::Etc::sourcelist": `${folder}/sources.list`,
      "Dir::Etc::sourceparts": "/dev/null",
      "APT::Architecture": architecture,
      "APT::Architectures": architecture,
      "APT::Sandbox::User": "root",
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} "${value}";\n`);
    await Deno.writeTextFile(`${folder}/apt.conf`, lines.join(""));
    const apt = new Apt(`${folder}/apt.conf`);
    await apt.run("apt-get", ["update", "-qq"]);
    return apt;
  }

  run(command: string, args: readonly string[], cwd = "/"): Promise<string> {
    return output(command, args, { cwd, env: { APT_CONFIG: this.#config, LC_ALL: "C" } });
  }
}

/** The mirrors that this machine uses, which may be of another release. */
async function mirrors(): Promise<{ main: string; security: string }> {
  const uris = (await output("apt-get", ["indextargets", "--format", "$(REPO_URI)"])).split("\n");
  const find = (name: string) => uris.find((uri) => new RegExp(`/${name}/?$`).test(uri));
  const main = Deno.env.get("DEBIAN_MIRROR") ?? find("debian") ?? "http://deb.debian.org/debian";
  const security = Deno.env.get("DEBIAN_SECURITY_MIRROR") ?? find("debian-security") ??
    main.replace(/debian\/?$/, "debian-security");
  return { main, security };
}

/** The SHA-256 of a file in hexadecimal digits; "" where there is none. */
async function digestOf(path: string): Promise<string> {
  const bytes = await Deno.readFile(path).catch(() => null);
  return bytes === null ? "" : new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

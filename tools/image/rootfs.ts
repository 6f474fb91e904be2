/**
 * The file systems of the image's layers, as folders: what Debian contributes, then the runtime, then the program, so
 * that an upgrade of the program alone leaves the layers that are large as they are.
 */
import { createHmac } from "node:crypto";
import { dirname } from "node:path";
import { output } from "./command.ts";
import type { Platform } from "./platform.ts";

/** Where the program lies. The runtime keeps compiled code in its subfolder `cache`. */
const HOME = "usr/local/lib/ztunnel";
/** User and group of the image. */
export const USER = 1337;

/** The files of each package, with LIB for the folder of libraries. A star stands for the rest of a name. */
const FILES: Readonly<Record<string, readonly string[]>> = {
  "base-files": [
    "bin",
    "lib",
    "lib64",
    "sbin",
    "etc/debian_version",
    "etc/os-release",
    "usr/lib/os-release",
  ],
  "libc6": [
    "LINKER",
    ...["ld-linux*", "libc.so.*", "libm.so.*", "libdl.so.*", "libpthread.so.*", "librt.so.*"].map((name) =>
      `LIB/${name}`
    ),
    // getaddrinfo loads these.
    ...["libresolv.so.*", "libnss_dns.so.*", "libnss_files.so.*"].map((name) => `LIB/${name}`),
  ],
  "libgcc-s1": ["LIB/libgcc_s.so.*"],
  "libssl3t64": ["LIB/libssl.so.*", "LIB/libcrypto.so.*"],
  "libzstd1": ["LIB/libzstd.so.*"],
  "openssl-provider-fips": ["LIB/ossl-modules/fips.so"],
  "zlib1g": ["LIB/libz.so.*"],
  // Roots come as single files, of which `ca-certificates.crt` is made. The other is for its licence only.
  "ca-certificates": [],
  "gcc-14-base": [],
};

/** Files that packages would make when they are installed. */
const MADE: Readonly<Record<string, string>> = {
  "etc/passwd": `root:x:0:0:root:/root:/usr/sbin/nologin\nztunnel:x:${USER}:${USER}::/nonexistent:/usr/sbin/nologin\n`,
  "etc/group": `root:x:0:\nztunnel:x:${USER}:\n`,
  "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
  "etc/ssl/openssl-fips.cnf": "openssl_conf = openssl_init\n.include /etc/ssl/fipsmodule.cnf\n\n" +
    "[openssl_init]\nproviders = providers\n\n[providers]\nfips = fips_sect\nbase = base_sect\n\n[base_sect]\nactivate = 1\n",
};
const LINKS: Readonly<Record<string, string>> = { "var/run": "/run" };
const FOLDERS = ["usr/bin", "usr/sbin", "dev", "proc", "sys", "run", "root", "etc", "tmp", "var/tmp"];
const WRITABLE = ["tmp", "var/tmp"];

/** The key with which OpenSSL checks that its FIPS module is intact. It is no secret (OpenSSL: FIPS_KEY_STRING). */
const FIPS_KEY = "f4556650ac31d35461610bac4ed81b1a181b2d8a43ea2854cbae22ca74560813";

/** Makes the layer of Debian in `root`. `packages`: the paths of the `.deb` files by their names. */
export async function debianLayer(
  platform: Platform,
  packages: ReadonlyMap<string, string>,
  root: string,
): Promise<void> {
  for (const folder of FOLDERS) await Deno.mkdir(`${root}/${folder}`, { recursive: true, mode: 0o755 });
  for (const folder of WRITABLE) await Deno.chmod(`${root}/${folder}`, 0o1777);
  const lib = `usr/lib/${platform.machine}-linux-gnu`;
  for (const [name, patterns] of Object.entries(FILES)) {
    const unpacked = await Deno.makeTempDir();
    try {
      const deb = packages.get(name)!;
      await output("dpkg-deb", ["--extract", deb, unpacked]);
      const files = patterns.map((pattern) => pattern.replace("LINKER", platform.linker).replace("LIB", lib));
      for (const file of files.flatMap((pattern) => matching(unpacked, pattern))) await copy(unpacked, root, file);
      await addPapers(name, deb, unpacked, root);
      if (name === "ca-certificates") await addRoots(unpacked, root);
    } finally {
      await Deno.remove(unpacked, { recursive: true });
    }
  }
  for (const [path, text] of Object.entries(MADE)) await write(root, path, text);
  for (const [path, target] of Object.entries(LINKS)) await Deno.symlink(target, `${root}/${path}`);
  await addFipsConfiguration(root, `${lib}/ossl-modules/fips.so`);
}

/** Makes the layer of the runtime, whose path is `deno`. */
export async function runtimeLayer(deno: string, root: string): Promise<void> {
  await Deno.mkdir(`${root}/${HOME}`, { recursive: true });
  await Deno.copyFile(deno, `${root}/${HOME}/deno`);
  await Deno.chmod(`${root}/${HOME}/deno`, 0o755);
}

/**
 * Makes the layer of the program. `folder`: the result of `compile.sh -f folder`. `papers`: texts by the names that they
 * get in `usr/share/doc/ztunnel`.
 */
export async function programLayer(
  folder: string,
  papers: Readonly<Record<string, string>>,
  root: string,
): Promise<void> {
  await Deno.mkdir(`${root}/${HOME}/cache`, { recursive: true });
  for (const { name } of Deno.readDirSync(folder)) {
    if (name === "deno") continue;
    await Deno.copyFile(`${folder}/${name}`, `${root}/${HOME}/${name}`);
    await Deno.chmod(`${root}/${HOME}/${name}`, name === "ztunnel" ? 0o755 : 0o644);
  }
  await Deno.mkdir(`${root}/usr/local/bin`, { recursive: true });
  await Deno.symlink("../lib/ztunnel/ztunnel", `${root}/usr/local/bin/ztunnel`);
  for (const [name, text] of Object.entries(papers)) await write(root, `usr/share/doc/ztunnel/${name}`, text);
}

/** The paths in `root` that fit; the linker and the links of `base-files` exist on some platforms only. */
function matching(root: string, pattern: string): string[] {
  if (!pattern.endsWith("*")) return exists(`${root}/${pattern}`) ? [pattern] : [];
  const folder = dirname(pattern), start = pattern.slice(folder.length + 1, -1);
  const found = [...Deno.readDirSync(`${root}/${folder}`)].filter(({ name }) => name.startsWith(start));
  if (found.length === 0) throw new Error(`the package has no ${pattern}`);
  return found.map(({ name }) => `${folder}/${name}`);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

async function copy(from: string, to: string, path: string): Promise<void> {
  const info = await Deno.lstat(`${from}/${path}`);
  await Deno.mkdir(`${to}/${dirname(path)}`, { recursive: true });
  if (info.isSymlink) return await Deno.symlink(await Deno.readLink(`${from}/${path}`), `${to}/${path}`);
  await Deno.copyFile(`${from}/${path}`, `${to}/${path}`);
  await Deno.chmod(`${to}/${path}`, info.mode! & 0o777);
}

async function write(root: string, path: string, text: string): Promise<void> {
  await Deno.mkdir(`${root}/${dirname(path)}`, { recursive: true });
  await Deno.writeTextFile(`${root}/${path}`, text);
}

/** The licence, and the package's own description where scanners look for it in images without dpkg. */
async function addPapers(name: string, deb: string, unpacked: string, root: string): Promise<void> {
  const copyright = `usr/share/doc/${name}/copyright`;
  // Libraries of GCC refer to the package that has the licence.
  if ((await Deno.lstat(dirname(`${unpacked}/${copyright}`))).isSymlink) await copy(unpacked, root, dirname(copyright));
  else await copy(unpacked, root, copyright);
  await write(root, `var/lib/dpkg/status.d/${name}`, await output("dpkg-deb", ["--field", deb]));
}

async function addRoots(unpacked: string, root: string): Promise<void> {
  const folder = `${unpacked}/usr/share/ca-certificates/mozilla`;
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.endsWith(".crt")).sort();
  const texts = names.map((name) => Deno.readTextFileSync(`${folder}/${name}`));
  await write(root, "etc/ssl/certs/ca-certificates.crt", texts.join(""));
}

/** What `openssl fipsinstall` writes, without running a program of the image's architecture. */
async function addFipsConfiguration(root: string, module: string): Promise<void> {
  const mac = createHmac("sha256", Uint8Array.fromHex(FIPS_KEY)).update(await Deno.readFile(`${root}/${module}`));
  const digits = mac.digest("hex").toUpperCase().match(/../g)!.join(":");
  const lines = [
    "[fips_sect]",
    "activate = 1",
    "conditional-errors = 1",
    "security-checks = 1",
    `module-mac = ${digits}`,
  ];
  await write(root, "etc/ssl/fipsmodule.cnf", `${lines.join("\n")}\n`);
}

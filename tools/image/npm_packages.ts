/** The npm packages that the product can load, with their licences. */
import { output } from "./command.ts";

/** A package of `deno.lock`. */
export interface NpmPackage {
  /** With its scope: `@grpc/grpc-js`. */
  readonly name: string;
  readonly version: string;
  /** `NAME@VERSION` of the packages that it requires. */
  readonly dependencies: readonly string[];
  /** SHA-512 in hexadecimal digits. */
  readonly sha512: string;
  /** Its licence as an SPDX expression. */
  readonly license: string;
  /** The texts of its licence files. */
  readonly licenseText: string;
}

interface Info {
  readonly npmPackages: Readonly<Record<string, InfoPackage>>;
}

interface InfoPackage {
  readonly name: string;
  readonly version: string;
  readonly dependencies: readonly string[];
  readonly localPath: string;
}

interface Lock {
  readonly npm: Readonly<Record<string, { readonly integrity: string }>>;
}

const LICENSE_FILE = /^(licen[cs]e|copying|notice)/i;

/**
 * The packages that `main.ts` and the page of the admin port reach, in the order of their names. `root`: the folder of the
 * project.
 */
export async function npmPackages(root: string): Promise<NpmPackage[]> {
  const packages = [
    ...await packagesOf(root, "", "main.ts"),
    ...await packagesOf(root, "dashboard/", "dashboard/view/main.tsx"),
  ];
  return packages.sort((a, b) => a.name < b.name || (a.name === b.name && a.version < b.version) ? -1 : 1);
}

/** What `entry` reaches. `folder`: of its `deno.json` and lock file. */
async function packagesOf(root: string, folder: string, entry: string): Promise<NpmPackage[]> {
  const words = ["info", "--json", "--config", `${folder}deno.json`, entry];
  const info = JSON.parse(await output(Deno.execPath(), words, { cwd: root })) as Info;
  const lock = JSON.parse(await Deno.readTextFile(`${root}/${folder}deno.lock`)) as Lock;
  return Object.entries(info.npmPackages).map(([id, { name, version, dependencies, localPath }]) => {
    const manifest = JSON.parse(Deno.readTextFileSync(`${localPath}/package.json`)) as { license: string };
    const files = [...Deno.readDirSync(localPath)].map((entry) => entry.name).filter((file) => LICENSE_FILE.test(file));
    if (files.length === 0) throw new Error(`the package ${id} has no file with its licence`);
    return {
      name,
      version,
      dependencies: [...dependencies].sort(),
      sha512: Uint8Array.fromBase64(lock.npm[id]!.integrity.replace("sha512-", "")).toHex(),
      license: manifest.license,
      licenseText: files.sort().map((file) => Deno.readTextFileSync(`${localPath}/${file}`).trim()).join("\n\n"),
    };
  });
}

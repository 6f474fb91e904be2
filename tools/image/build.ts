/** Builds images from the tree and the pinned packages. */
import { output } from "./command.ts";
import { fetchPackages, pinnedPackages } from "./debian.ts";
import { packLayer } from "./layer.ts";
import { npmPackages } from "./npm_packages.ts";
import type { Image, Stamp } from "./oci.ts";
import { componentList, type Contents, licenseTexts } from "./papers.ts";
import type { Platform } from "./platform.ts";
import { debianLayer, programLayer, runtimeLayer } from "./rootfs.ts";
import { type BuiltLibrary, bundledLibrary } from "./tls_library.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** An image and what it says about its contents. */
export interface BuiltImage extends Image {
  readonly components: string;
  readonly licenses: string;
}

/** What this build is called. `istioVersion`: by default the version. */
export async function readStamp(istioVersion?: string): Promise<Stamp> {
  const lines = (await output(`${ROOT}tools/stamp.sh`, [])).trim().split("\n");
  const fields = Object.fromEntries(lines.map((line) => line.split("=") as [string, string]));
  const version = fields["VERSION"]!;
  return {
    version,
    revision: fields["REVISION"]!,
    time: Number(fields["SOURCE_DATE_EPOCH"]),
    istioVersion: istioVersion ?? version,
  };
}

/**
 * Builds one image for each platform. `bundled`: a result of {@link compile} in the form "folder", whose JavaScript is
 * taken; by default it is bundled.
 */
export async function buildImages(
  platforms: readonly Platform[],
  stamp: Stamp,
  bundled: string | null = null,
): Promise<BuiltImage[]> {
  const work = await Deno.makeTempDir({ prefix: "image-" });
  try {
    const npm = await npmPackages(ROOT);
    const images: BuiltImage[] = [];
    let script = bundled;
    for (const platform of platforms) {
      const folder = `${work}/${platform.architecture}`;
      const library = await bundledLibrary(platform);
      await compile("folder", platform, `${folder}/program`, script, stamp, library);
      script ??= `${folder}/program`;
      images.push(await buildImage(platform, folder, npm, library, stamp));
    }
    return images;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Calls `compile.sh`. `bundled`: as in {@link buildImages}, null to bundle anew. `env`: further variables of it. */
export async function compile(
  form: "folder" | "unpack",
  { machine }: Platform,
  out: string,
  bundled: string | null,
  { version }: Stamp,
  library: Pick<BuiltLibrary, "path"> | null,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const args = ["-f", form, "-a", machine, "-o", out, ...bundled === null ? [] : ["-b", bundled]];
  const variables = { ...env, VERSION: version, BUNDLED_TLS_LIBRARY: library?.path ?? "none" };
  await output(`${ROOT}compile.sh`, args, { env: variables });
}

async function buildImage(
  platform: Platform,
  folder: string,
  npm: Contents["npm"],
  tlsLibrary: Contents["tlsLibrary"],
  stamp: Stamp,
): Promise<BuiltImage> {
  const packages = await fetchPackages(platform);
  const contents: Contents = {
    platform,
    npm,
    tlsLibrary,
    debian: pinnedPackages(platform).filter(({ name }) => name !== "zlib1g-dev"),
    runtime: { version: Deno.version.deno, sha256: runtimeDigest(platform) },
  };
  const components = componentList(contents, stamp);
  const licenses = licenseTexts(contents, await Deno.readTextFile(`${ROOT}LICENSE`));
  const roots = ["debian", "runtime", "ztunnel"].map((name) => `${folder}/${name}`) as [string, string, string];
  for (const root of roots) await Deno.mkdir(root, { recursive: true });
  await debianLayer(platform, packages, roots[0]);
  await runtimeLayer(`${folder}/program/deno`, roots[1]);
  await programLayer(`${folder}/program`, { "components.cdx.json": components, "LICENSES": licenses }, roots[2]);
  const names = ["Debian 13: libc, OpenSSL, roots", `deno ${Deno.version.deno}`, `ztunnel ${stamp.version}`];
  const layers = await Promise.all(roots.map((root, i) => packLayer(names[i]!, root)));
  return { platform, layers, components, licenses };
}

/** Writes what each image says about its contents, to files whose names begin with `start`. */
export async function writePapers(images: readonly BuiltImage[], start: string): Promise<void> {
  for (const { platform: { architecture }, components, licenses } of images) {
    await Deno.writeTextFile(`${start}-${architecture}.cdx.json`, components);
    await Deno.writeTextFile(`${start}-${architecture}.licenses.txt`, licenses);
  }
}

/** `compile.sh` has compared it with the runtime. */
function runtimeDigest({ machine }: Platform): string {
  const line = Deno.readTextFileSync(`${ROOT}tools/runtime.sha256`).split("\n").find((line) => line.endsWith(machine));
  return line!.slice(0, 64);
}

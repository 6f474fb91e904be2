/** Makes all files of a release in one folder. */
import { objectsOf } from "../../lab/istio/manifest_text.ts";
import { plainManifest } from "../../lab/istio/plain_manifest.ts";
import { renderings } from "../../lab/istio/values_files.ts";
import { buildImages, compile, writePapers } from "../image/build.ts";
import { output } from "../image/command.ts";
import { fetchPackages } from "../image/debian.ts";
import { digest, packLayer } from "../image/layer.ts";
import { type Stamp, writeLayout } from "../image/oci.ts";
import { HERE, type Platform } from "../image/platform.ts";
import { bundledLibrary } from "../image/tls_library.ts";
import { changelogSection, releaseNotes } from "./notes.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
/** The list of checksums. */
export const CHECKSUMS = "SHA256SUMS";

/** The name of the executable for a platform. */
export function executableName({ architecture }: Platform, { version }: Stamp): string {
  return `ztunnel-${version}-${architecture}`;
}

/** Makes a release in `out`, which must not exist. The same tree gives the same bytes. */
export async function buildRelease(out: string, platforms: readonly Platform[], stamp: Stamp): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "release-" });
  const start = `${out}/ztunnel-${stamp.version}`;
  try {
    await Deno.mkdir(out, { recursive: true });
    const bundled = `${work}/program`;
    await compile("folder", HERE, bundled, null, stamp, await bundledLibrary(HERE));
    for (const platform of platforms) {
      await buildExecutable(platform, `${out}/${executableName(platform, stamp)}`, bundled, work, stamp);
    }
    const images = await buildImages(platforms, stamp, bundled);
    await writePapers(images, start);
    const image = await writeLayout(`${work}/oci`, images, stamp, stamp.version);
    await Deno.writeFile(`${start}-oci.tar`, (await packLayer("", `${work}/oci`)).tar);
    await collectDeployment(`${work}/deploy`, stamp);
    await Deno.writeFile(`${start}-deploy.tar.gz`, (await packLayer("", `${work}/deploy`)).packed);
    const changes = changelogSection(await Deno.readTextFile(`${ROOT}CHANGELOG.md`), stamp.version);
    await Deno.writeTextFile(`${out}/NOTES.md`, releaseNotes({ ...stamp, changes, image }));
    await Deno.writeTextFile(`${out}/${CHECKSUMS}`, await checksums(out));
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function buildExecutable(
  platform: Platform,
  out: string,
  bundled: string,
  work: string,
  stamp: Stamp,
): Promise<void> {
  const { machine } = platform;
  // The pinned zlib instead of the machine's, which it has for itself only.
  const zlib = `${work}/zlib-${machine}`;
  await output("dpkg-deb", ["--extract", (await fetchPackages(platform)).get("zlib1g-dev")!, zlib]);
  const triplet = `${machine}-linux-gnu`;
  await compile("unpack", platform, out, bundled, stamp, await bundledLibrary(platform), {
    CPPFLAGS: `-I${zlib}/usr/include -I${zlib}/usr/include/${triplet}`,
    LDFLAGS: `-L${zlib}/usr/lib/${triplet}`,
  });
  await Deno.chmod(out, 0o755);
}

/** `deploy/`, and plain manifests of each values file for Istio's chart beside that of the default. */
async function collectDeployment(folder: string, { version }: Stamp): Promise<void> {
  await output("cp", ["-r", `${ROOT}deploy`, folder]);
  await Deno.mkdir(`${folder}/manifests`);
  for (const { name, files } of renderings().filter(({ name }) => name.startsWith("istio-"))) {
    const rendered = objectsOf(await Deno.readTextFile(`${ROOT}tests/fixtures/golden/charts/${name}.yaml`));
    const values = files.map((file) => `deploy/values/${file}.yaml`).join(" and ");
    const image = `ztunnel:${version}`;
    await Deno.writeTextFile(
      `${folder}/manifests/${name}.yaml`,
      plainManifest(rendered, values, `${name}.yaml`, image),
    );
  }
}

/** Lines as `sha256sum` prints them, in the order of the names. */
async function checksums(folder: string): Promise<string> {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  const lines = await Promise.all(names.map(async (name) => {
    const bytes = await Deno.readFile(`${folder}/${name}`);
    return `${digest(bytes).replace("sha256:", "")}  ${name}\n`;
  }));
  return lines.join("");
}

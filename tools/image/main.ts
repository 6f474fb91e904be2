/**
 * Builds container images without Docker: `deno task image [--out=dist/image] [--arch=amd64,arm64] [--istio-version=X]`.
 *
 * In the folder `--out`: `oci/`, an OCI layout with one image for each architecture behind one index, and for each
 * architecture `ztunnel-ARCH.cdx.json` (components, CycloneDX) and `ztunnel-ARCH.licenses.txt`. The last line is the
 * digest of the index. VERSION, REVISION and SOURCE_DATE_EPOCH in the environment replace what git says.
 *
 *   --docker=FILE --tag=NAME:TAG   writes the image of this machine as `docker save` does, for
 *                                  `ctr -n k8s.io images import FILE` and `docker load`; without --out nothing else
 *   --fetch-packages               downloads Debian's packages into the cache, and builds nothing
 *   --update-packages              pins the versions that Debian has now in `packages.json`, and builds nothing
 */
import { parseArgs } from "node:util";
import { buildImages, type BuiltImage, readStamp, writePapers } from "./build.ts";
import { fetchPackages, updatePackages } from "./debian.ts";
import { type Stamp, writeDockerArchive, writeLayout } from "./oci.ts";
import { HERE, PLATFORMS, platformsOf } from "./platform.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    "out": { type: "string" },
    "arch": { type: "string", default: "amd64,arm64" },
    "istio-version": { type: "string" },
    "docker": { type: "string" },
    "tag": { type: "string" },
    "fetch-packages": { type: "boolean", default: false },
    "update-packages": { type: "boolean", default: false },
  },
});

if (values["update-packages"]) {
  await updatePackages(PLATFORMS);
} else if (values["fetch-packages"]) {
  for (const platform of platformsOf(values.arch)) await fetchPackages(platform);
} else {
  const stamp = await readStamp(values["istio-version"]);
  const onlyArchive = values.docker !== undefined && values.out === undefined;
  const images = await buildImages(onlyArchive ? [HERE] : platformsOf(values.arch), stamp);
  if (values.docker !== undefined) await writeArchive(images, stamp, values.docker);
  if (!onlyArchive) await writeAll(images, stamp, values.out ?? "dist/image");
}

async function writeArchive(images: readonly BuiltImage[], stamp: Stamp, file: string): Promise<void> {
  const image = images.find(({ platform }) => platform === HERE);
  if (image === undefined) throw new Error(`--docker requires that --arch contains ${HERE.architecture}`);
  await writeDockerArchive(file, image, stamp, values.tag ?? `ztunnel:${stamp.version}`);
  console.log(file);
}

async function writeAll(images: readonly BuiltImage[], stamp: Stamp, out: string): Promise<void> {
  await Deno.remove(out, { recursive: true }).catch(() => {}); // it may not exist
  const digest = await writeLayout(`${out}/oci`, images, stamp, stamp.version);
  await writePapers(images, `${out}/ztunnel`);
  console.log(`${out}/oci ${digest}`);
}

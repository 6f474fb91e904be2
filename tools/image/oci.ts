/**
 * Images in two forms: an OCI layout with one image for each platform behind one index (OCI image specification 1.1),
 * and the archive of one image that `docker save` writes and `ctr images import` reads.
 */
import { output } from "./command.ts";
import { digest, type Layer } from "./layer.ts";
import type { Platform } from "./platform.ts";
import { USER } from "./rootfs.ts";

/** What a build is called (`tools/stamp.sh`), and the version of Istio that it reports. */
export interface Stamp {
  readonly version: string;
  readonly revision: string;
  /** Seconds since 1970. */
  readonly time: number;
  readonly istioVersion: string;
}

/** An image of one platform. */
export interface Image {
  readonly platform: Platform;
  readonly layers: readonly Layer[];
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const INDEX = "application/vnd.oci.image.index.v1+json";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const CONFIG = "application/vnd.oci.image.config.v1+json";
const LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

/** Labels of the image and annotations of the index. */
function labels({ version, revision, time }: Stamp): Record<string, string> {
  const label = "org.opencontainers.image";
  return {
    [`${label}.title`]: "ztunnel",
    [`${label}.description`]: "Node proxy for Istio's ambient mesh",
    [`${label}.licenses`]: "Apache-2.0",
    [`${label}.version`]: version,
    [`${label}.revision`]: revision,
    [`${label}.created`]: createdAt(time),
  };
}

/** How a container is started, as the Dockerfile says (`tests/release_test.ts` compares). */
function startSettings({ istioVersion }: Stamp) {
  return {
    User: `${USER}:${USER}`,
    ExposedPorts: { "15020/tcp": {}, "15021/tcp": {} },
    Env: [
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      `ISTIO_META_ISTIO_VERSION=${istioVersion}`,
    ],
    Entrypoint: ["/usr/local/bin/ztunnel"],
    Cmd: ["proxy", "ztunnel"],
    WorkingDir: "/",
  };
}

function imageConfig({ platform, layers }: Image, stamp: Stamp): string {
  const created = createdAt(stamp.time);
  return JSON.stringify({
    created,
    architecture: platform.architecture,
    ...platform.variant !== null && { variant: platform.variant },
    os: "linux",
    config: { ...startSettings(stamp), Labels: labels(stamp) },
    rootfs: { type: "layers", diff_ids: layers.map(({ tar }) => digest(tar)) },
    history: layers.map(({ name }) => ({ created, created_by: name })),
  });
}

/** Writes a layout. `name`: what the images are called in it, such as `1.0.0`. Returns the digest of the index. */
export async function writeLayout(
  folder: string,
  images: readonly Image[],
  stamp: Stamp,
  name: string,
): Promise<string> {
  await Deno.mkdir(`${folder}/blobs/sha256`, { recursive: true });
  const add = async (mediaType: string, content: Uint8Array | string): Promise<Descriptor> => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const id = digest(bytes);
    await Deno.writeFile(`${folder}/blobs/${id.replace(":", "/")}`, bytes);
    return { mediaType, digest: id, size: bytes.length };
  };
  const manifests = [];
  for (const image of images) {
    const { architecture, variant } = image.platform;
    const config = await add(CONFIG, imageConfig(image, stamp));
    const layers = await Promise.all(image.layers.map(({ packed }) => add(LAYER, packed)));
    const text = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers, annotations: labels(stamp) });
    const platform = { architecture, os: "linux", ...variant !== null && { variant } };
    manifests.push({ ...await add(MANIFEST, text), platform });
  }
  const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests, annotations: labels(stamp) });
  const descriptor = await add(INDEX, index);
  const annotations = { "org.opencontainers.image.ref.name": name };
  const top = { schemaVersion: 2, mediaType: INDEX, manifests: [{ ...descriptor, annotations }] };
  await Deno.writeTextFile(`${folder}/index.json`, JSON.stringify(top));
  await Deno.writeTextFile(`${folder}/oci-layout`, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  return descriptor.digest;
}

/** Writes one image as `docker save` would. `tag`: such as `ztunnel:lab`. */
export async function writeDockerArchive(file: string, image: Image, stamp: Stamp, tag: string): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const config = imageConfig(image, stamp);
    const name = `${digest(config).replace("sha256:", "")}.json`;
    const layers = image.layers.map((_, i) => `layer${i}.tar`);
    for (const [i, { tar }] of image.layers.entries()) await Deno.writeFile(`${folder}/${layers[i]}`, tar);
    await Deno.writeTextFile(`${folder}/${name}`, config);
    const manifest = JSON.stringify([{ Config: name, RepoTags: [tag], Layers: layers }]);
    await Deno.writeTextFile(`${folder}/manifest.json`, manifest);
    await output("tar", ["--create", "--file", file, "--directory", folder, "manifest.json", name, ...layers]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function createdAt(time: number): string {
  return new Date(time * 1000).toISOString().replace(".000Z", "Z");
}

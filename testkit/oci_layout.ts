/** Reads OCI layouts, as container runtimes do. Every blob is compared with its digest. */
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { run } from "../lab/program.ts";

/** An image of a layout. */
export interface LaidOutImage {
  /** Digest of its manifest. */
  readonly digest: string;
  readonly architecture: string;
  readonly config: ImageConfig;
  /** The layers as tar archives, the lowest first. */
  readonly layers: readonly Uint8Array[];
}

/** The configuration of an image (OCI image specification, config). */
interface ImageConfig {
  readonly created: string;
  readonly architecture: string;
  readonly os: string;
  readonly config: {
    readonly User: string;
    readonly ExposedPorts: Readonly<Record<string, unknown>>;
    readonly Env: readonly string[];
    readonly Entrypoint: readonly string[];
    readonly Cmd: readonly string[];
    readonly WorkingDir: string;
    readonly Labels: Readonly<Record<string, string>>;
  };
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

interface Descriptor {
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly architecture: string };
}

/** The digest of a layout's only index, and its images. */
export function readLayout(folder: string): { digest: string; images: LaidOutImage[] } {
  const blob = ({ digest, size }: Descriptor): Uint8Array => {
    const bytes = Deno.readFileSync(`${folder}/blobs/${digest.replace(":", "/")}`);
    assert.deepEqual([digestOf(bytes), bytes.length], [digest, size]);
    return bytes;
  };
  const json = (descriptor: Descriptor) => JSON.parse(new TextDecoder().decode(blob(descriptor)));
  assert.deepEqual(JSON.parse(Deno.readTextFileSync(`${folder}/oci-layout`)), { imageLayoutVersion: "1.0.0" });
  const top = JSON.parse(Deno.readTextFileSync(`${folder}/index.json`)) as { manifests: Descriptor[] };
  assert.equal(top.manifests.length, 1);
  const { manifests } = json(top.manifests[0]!) as { manifests: Descriptor[] };
  const images = manifests.map((descriptor) => {
    const manifest = json(descriptor) as { config: Descriptor; layers: Descriptor[] };
    const config = json(manifest.config) as ImageConfig;
    const layers = manifest.layers.map((layer) => new Uint8Array(gunzipSync(blob(layer))));
    assert.deepEqual(config.rootfs.diff_ids, layers.map(digestOf));
    assert.equal(config.architecture, descriptor.platform?.architecture);
    return { digest: descriptor.digest, architecture: config.architecture, config, layers };
  });
  return { digest: top.manifests[0]!.digest, images };
}

/** Unpacks the layers of an image into a folder, with owners and modes where the caller is root. */
export async function unpackImage({ layers }: LaidOutImage, folder: string): Promise<void> {
  for (const layer of layers) {
    const file = await Deno.makeTempFile();
    await Deno.writeFile(file, layer);
    await run("tar", "--extract", "--preserve-permissions", "--file", file, "--directory", folder);
    await Deno.remove(file);
  }
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

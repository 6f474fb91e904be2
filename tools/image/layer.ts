/** A folder as a layer: the same contents give the same bytes. */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { output } from "./command.ts";

/** A layer in both forms. */
export interface Layer {
  /** What it has, for the history of the image. */
  readonly name: string;
  readonly tar: Uint8Array;
  readonly packed: Uint8Array;
}

/** Owners, times and the order of files do not depend on the machine. */
const FLAGS = ["--sort=name", "--format=gnu", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];

const STICKY = 0o1000;

/** Packs a folder, whose files get the modes that they shall have in the image, whatever the umask was. The compressor is that of the runtime, whose version is pinned. */
export async function packLayer(name: string, folder: string): Promise<Layer> {
  await setModes(folder);
  const file = await Deno.makeTempFile();
  try {
    await output("tar", ["--create", "--file", file, ...FLAGS, "--directory", folder, "."]);
    const tar = await Deno.readFile(file);
    return { name, tar, packed: new Uint8Array(await promisify(gzip)(tar)) };
  } finally {
    await Deno.remove(file);
  }
}

/** `sha256:` and the SHA-256 in hexadecimal digits. */
export function digest(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Programs stay programs, and folders with the sticky bit stay writable for all; nothing else is. */
async function setModes(folder: string): Promise<void> {
  const { mode } = await Deno.stat(folder);
  await Deno.chmod(folder, mode! & STICKY ? 0o1777 : 0o755);
  for (const { name, isDirectory, isFile } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) await setModes(path);
    else if (isFile) await Deno.chmod(path, (await Deno.stat(path)).mode! & 0o100 ? 0o755 : 0o644);
  }
}

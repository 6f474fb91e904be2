/** Files of the control plane's settings, read when they are needed: tokens and root certificates. */
import { EACCES, ENOENT, errnoText } from "../os/errno.ts";

/** Larger than any bundle of roots; what is longer is some other file. */
const MAX_BYTES = 8 * 1024 * 1024;

export type SmallFile = { readonly text: string } | { readonly problem: string };

export type SmallBytes = { readonly bytes: Uint8Array } | { readonly problem: string; readonly missing: boolean };

/** The text of a file, or why there is none, as the log shall show it. Does not reject. */
export async function readSmallFile(path: string): Promise<SmallFile> {
  const read = await readSmallBytes(path);
  return "bytes" in read ? { text: new TextDecoder().decode(read.bytes) } : read;
}

/** The same of a file that is no text. `missing`: there is none. */
export async function readSmallBytes(path: string, maxBytes = MAX_BYTES): Promise<SmallBytes> {
  try {
    const { size, isFile } = await Deno.stat(path);
    if (!isFile) return { problem: "not a file", missing: false };
    if (size > maxBytes) return { problem: `${size} bytes are too many`, missing: false };
    return { bytes: await Deno.readFile(path) };
  } catch (error) {
    return { problem: fileProblem(error), missing: error instanceof Deno.errors.NotFound };
  }
}

function fileProblem(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return errnoText(ENOENT);
  if (error instanceof Deno.errors.PermissionDenied) return errnoText(EACCES);
  return error instanceof Error ? error.message : String(error);
}

/** Changes when a file is written or replaced, also by Kubernetes' exchange of links. Null: it cannot be looked at. */
export async function fileVersion(path: string): Promise<string | null> {
  try {
    const { ino, mtime, size } = await Deno.stat(path);
    return `${ino} ${mtime?.getTime()} ${size}`;
  } catch {
    return null;
  }
}

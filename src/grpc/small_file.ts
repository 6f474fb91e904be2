/** Reads small files when they are needed: tokens, root certificates, revocation lists. */
import { EACCES, ENOENT, errnoText } from "../os/errno.ts";

/** Larger files are refused; every bundle of roots is smaller. */
const MAX_BYTES = 8 * 1024 * 1024;

/** The text of a file, or why it could not be read. */
type SmallFile = { readonly text: string } | { readonly problem: string };

/** The bytes of a file, or why it could not be read. `missing`: it does not exist. */
type SmallBytes = { readonly bytes: Uint8Array } | { readonly problem: string; readonly missing: boolean };

/** Reads a file as UTF-8. Does not reject. */
export async function readSmallFile(path: string): Promise<SmallFile> {
  const read = await readSmallBytes(path);
  return "bytes" in read ? { text: new TextDecoder().decode(read.bytes) } : read;
}

/** Reads a file of at most `maxBytes`. Does not reject. */
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

/**
 * Returns a text that changes when the file is written or replaced, also by a change of symbolic links as Kubernetes
 * does. Null: `stat` failed. Does not reject.
 */
export async function fileVersion(path: string): Promise<string | null> {
  try {
    const { ino, mtime, size } = await Deno.stat(path);
    return `${ino} ${mtime?.getTime()} ${size}`;
  } catch {
    return null;
  }
}

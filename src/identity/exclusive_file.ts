/** Creates files that several processes may try to create at the same time. */

/** True where anything exists at `path`. */
export function fileExists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Creates the file with mode 0600 unless it exists. It appears with its whole contents or not at all: they are written
 * to a temporary file that is then linked to `path`. The link fails if another process has created the file meanwhile;
 * that file is kept. The file system must support hard links.
 */
export function createExclusively(path: string, contents: () => string): void {
  if (fileExists(path)) return;
  const temporary = `${path}.${crypto.randomUUID()}`;
  using file = Deno.openSync(temporary, { write: true, createNew: true, mode: 0o600 });
  try {
    writeAll(file, new TextEncoder().encode(contents()));
    file.syncSync();
    linkUnlessExists(temporary, path);
  } finally {
    Deno.removeSync(temporary);
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
}

function linkUnlessExists(temporary: string, path: string): void {
  try {
    Deno.linkSync(temporary, path);
  } catch (error) {
    // The error code for an existing file differs between file systems and runtimes.
    if (!fileExists(path)) throw error;
  }
}

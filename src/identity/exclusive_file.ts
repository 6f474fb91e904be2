/** Creates files that several processes may try to create at the same time. */
import { closeSync, fsyncSync, linkSync, openSync, statSync, unlinkSync, writeFileSync } from "node:fs";

/** True where anything exists at `path`. */
export function fileExists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/**
 * Creates the file with mode 0600 unless it exists. It appears with its whole contents or not at all: they are written
 * to a temporary file that is then linked to `path`. The link fails if another process has created the file meanwhile;
 * that file is kept. The file system must support hard links.
 */
export function createExclusively(path: string, contents: () => string): void {
  if (fileExists(path)) return;
  const temporary = `${path}.${crypto.randomUUID()}`;
  const file = openSync(temporary, "wx", 0o600);
  try {
    writeFileSync(file, contents());
    fsyncSync(file);
    linkUnlessExists(temporary, path);
  } finally {
    closeSync(file);
    unlinkSync(temporary);
  }
}

function linkUnlessExists(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch (error) {
    // The error code for an existing file differs between file systems and runtimes.
    if (!fileExists(path)) throw error;
  }
}

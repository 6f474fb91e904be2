/** Files that several processes may want to create at the same moment. */
import { closeSync, fsyncSync, linkSync, openSync, statSync, unlinkSync, writeFileSync } from "node:fs";

export function fileExists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/**
 * Creates the file with mode 0600 unless it exists. It appears whole or not at all: the contents are written beside it
 * and linked to the name, which fails when somebody else was faster; then theirs stands. Needs hard links.
 */
export function createExclusively(path: string, contents: () => string): void {
  if (fileExists(path)) return;
  const draft = `${path}.${crypto.randomUUID()}`;
  const file = openSync(draft, "wx", 0o600);
  try {
    writeFileSync(file, contents());
    fsyncSync(file);
    linkUnlessThere(draft, path);
  } finally {
    closeSync(file);
    unlinkSync(draft);
  }
}

function linkUnlessThere(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    // Checked rather than matched by code, whose shape differs between file systems and runtimes.
    if (!fileExists(path)) throw error;
  }
}

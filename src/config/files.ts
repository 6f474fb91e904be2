import { SystemError } from "../os/errno.ts";
import { readSystemFile } from "../os/system_files.ts";

/** What the configuration asks of the file system. Injected, so that tests need no files. */
export interface ConfigFiles {
  /** The text of a file, null where there is none. Throws when it exists and cannot be read. */
  read(path: string): string | null;
  exists(path: string): boolean;
}

/** Folders in which the kernel reports its state. The runtime reads there only with all permissions. */
const OF_THE_KERNEL = /^\/(proc|sys)\//;

/** The files of this machine. */
export const SYSTEM_FILES: ConfigFiles = {
  read(path) {
    try {
      return OF_THE_KERNEL.test(path) ? readSystemFile(path) : Deno.readTextFileSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || (error instanceof SystemError && error.code === "ENOENT")) {
        return null;
      }
      throw error;
    }
  },
  exists(path) {
    try {
      Deno.statSync(path);
      return true;
    } catch {
      return false;
    }
  },
};

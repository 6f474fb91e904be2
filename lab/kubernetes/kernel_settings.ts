/** Settings of the kernel that a kubelet changes for the whole machine. */
import { readSystemFile, writeSystemFile } from "../../src/os/system_files.ts";

const CHANGED = [
  "vm/overcommit_memory",
  "vm/panic_on_oom",
  "kernel/panic",
  "kernel/panic_on_oops",
  "kernel/keys/root_maxkeys",
  "kernel/keys/root_maxbytes",
] as const;

/** Reads the settings, and writes them again when its scope ends. */
export class KernelSettings implements Disposable {
  readonly #before = CHANGED.map((name) => ({ path: `/proc/sys/${name}`, text: readSystemFile(`/proc/sys/${name}`) }));

  [Symbol.dispose](): void {
    for (const { path, text } of this.#before) {
      if (readSystemFile(path) !== text) writeSystemFile(path, text);
    }
  }
}

/** Programs of `tests/peers` that are built from source by the `build.sh` of their folder. */
import { existsSync } from "node:fs";
import { type Lack, lacks } from "../needs.ts";

/** Such a program. */
export class BuiltPeer {
  readonly #name: string;
  #path: string | undefined;

  /** `name`: of the folder and of the task `interop:NAME`. */
  constructor(name: string) {
    this.#name = name;
  }

  /** The path of the program, whether it is built or not. */
  get path(): string {
    return this.#path ??= this.#readPath();
  }

  /** Whether it is built. */
  get isBuilt(): boolean {
    return existsSync(this.path);
  }

  /** Returns what is missing to run it; empty if it is built. */
  lacks(): Lack[] {
    if (this.isBuilt) return [];
    const noGo = lacks({ go: true });
    if (noGo.length > 0) return noGo;
    return [{ reason: `${this.#name} is not built`, cure: `deno task interop:${this.#name} builds it`, duty: false }];
  }

  #readPath(): string {
    const script = new URL(`../../tests/peers/${this.#name}/build.sh`, import.meta.url).pathname;
    const { stdout } = new Deno.Command(script, { args: ["--path"] }).outputSync();
    return new TextDecoder().decode(stdout).trim();
  }
}

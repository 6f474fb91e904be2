/** A temporary folder that is removed with its contents when its scope ends. */
export interface TempDir extends Disposable {
  readonly path: string;
  /** Writes a file (UTF-8 text or bytes) in the folder and returns its path. */
  write(name: string, content: string | Uint8Array): string;
}

/** Makes a temporary folder. */
export function tempDir(prefix = "zt-"): TempDir {
  const path = Deno.makeTempDirSync({ prefix });
  return {
    path,
    write(name, content) {
      const file = `${path}/${name}`;
      if (typeof content === "string") Deno.writeTextFileSync(file, content);
      else Deno.writeFileSync(file, content);
      return file;
    },
    [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }),
  };
}

/** A temporary folder that is removed, with all that is in it, when its scope ends. */
export interface TempDir extends Disposable {
  readonly path: string;
  /** Writes a file (UTF-8 text or bytes) below the folder and returns its whole path. */
  write(name: string, content: string | Uint8Array): string;
}

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

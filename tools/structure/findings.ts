/** What is wrong with the structure of the project: circles of files, exports without use, missing docstrings. */
import type { Export, SourceFile } from "./source_file.ts";

/** Groups of files that import one another, directly or through others. Types count. Tarjan's algorithm. */
export function circles(files: readonly SourceFile[]): string[][] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const index = new Map<string, number>(), low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (path: string) => {
    index.set(path, index.size);
    low.set(path, index.get(path)!);
    stack.push(path);
    for (const { path: next } of byPath.get(path)!.imports) {
      if (!byPath.has(next)) continue;
      if (!index.has(next)) {
        visit(next);
        low.set(path, Math.min(low.get(path)!, low.get(next)!));
      } else if (stack.includes(next)) {
        low.set(path, Math.min(low.get(path)!, index.get(next)!));
      }
    }
    if (low.get(path) !== index.get(path)) return;
    const circle = stack.splice(stack.indexOf(path));
    if (circle.length > 1) found.push(circle.sort());
  };
  for (const { path } of files) if (!index.has(path)) visit(path);
  return found;
}

export interface Place {
  readonly path: string;
  readonly name: string;
}

/** Exports that no other file imports. */
export function unusedExports(files: readonly SourceFile[]): Place[] {
  const users = usersOf(files);
  return places(files, (file, { name }) => users(file.path, name).length === 0);
}

/** Exported functions, classes and interfaces without a docstring. `room`: which room a file belongs to. */
export function undocumented(files: readonly SourceFile[], room: (path: string) => string) {
  const users = usersOf(files);
  const all = places(files, (_, { kind, documented }) => kind !== "other" && !documented);
  /** Used by product code of another room. */
  const acrossRooms = all.filter(({ path, name }) => users(path, name).some((user) => room(user) !== room(path)));
  return { all, acrossRooms };
}

function places(files: readonly SourceFile[], matches: (file: SourceFile, exported: Export) => boolean): Place[] {
  return files.flatMap((file) =>
    file.exports.filter((each) => matches(file, each)).map(({ name }) => ({ path: file.path, name }))
  );
}

/** Files that import `name` from `path`. */
function usersOf(files: readonly SourceFile[]): (path: string, name: string) => string[] {
  const importers = new Map<string, { user: string; names: ReadonlySet<string> | null }[]>();
  for (const { path: user, imports } of files) {
    for (const { path, names } of imports) {
      const list = importers.get(path) ?? [];
      list.push({ user, names: names === null ? null : new Set(names) });
      importers.set(path, list);
    }
  }
  return (path, name) =>
    (importers.get(path) ?? []).filter(({ names }) => names?.has(name) ?? true).map(({ user }) => user);
}

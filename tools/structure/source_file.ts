/**
 * What a source file exports and imports, read from its text. The text is formatted by `deno fmt`, so each declaration
 * begins at the start of a line.
 */

export interface Export {
  readonly name: string;
  readonly kind: "function" | "class" | "interface" | "other";
  /** A docstring stands directly above it. */
  readonly documented: boolean;
}

interface Import {
  /** Path of the imported file, relative to the root of the project. */
  readonly path: string;
  /** Imported names; null: possibly all of them. */
  readonly names: readonly string[] | null;
}

export interface SourceFile {
  /** Relative to the root of the project. */
  readonly path: string;
  readonly exports: readonly Export[];
  readonly imports: readonly Import[];
}

const DECLARATION =
  /^export (?:declare )?(?:abstract )?(?:async )?(function\*?|class|interface|type|const enum|const|let|enum) (\w+)/gm;
const STATIC = /^(?:import|export)\s+(?:type\s+)?(?:([^";]+?)\s+from\s+)?"(\.[^"]+)"/gm;
const DYNAMIC =
  /(?:const (\{[^}]*\}) = )?(\(?)await import\(\s*"(\.[^"]+)"\s*\)(?:\)\.(\w+))?|\bimport\("(\.[^"]+)"\)\.(\w+)/g;

/** `path`: relative to the root of the project. */
export function readSource(path: string, text: string): SourceFile {
  return { path, exports: exportsOf(text), imports: [...staticImports(path, text), ...dynamicImports(path, text)] };
}

function exportsOf(text: string): Export[] {
  return [...text.matchAll(DECLARATION)].map(({ 1: word = "", 2: name = "", index }) => ({
    name,
    kind: kindOf(word),
    documented: text.slice(0, index).endsWith("*/\n"),
  }));
}

function kindOf(word: string): Export["kind"] {
  if (word.startsWith("function")) return "function";
  return word === "class" || word === "interface" ? word : "other";
}

function staticImports(path: string, text: string): Import[] {
  return [...text.matchAll(STATIC)].map(({ 1: clause = "", 2: target = "" }) => ({
    path: resolve(path, target),
    names: clause === "" ? [] : namesIn(clause),
  }));
}

function dynamicImports(path: string, text: string): Import[] {
  return [...text.matchAll(DYNAMIC)].map((found) => {
    const [, taken, , awaited, member, typed, type] = found;
    const names = member ?? type;
    return {
      path: resolve(path, awaited ?? typed ?? ""),
      names: names !== undefined ? [names] : taken === undefined ? null : namesIn(taken),
    };
  });
}

/** Of `d, { a, type b as c }`: a and b, as default exports are not counted. With `*`: null. */
function namesIn(clause: string): string[] | null {
  if (clause.includes("*")) return null;
  return (/\{([^}]*)\}/.exec(clause)?.[1] ?? "").split(",")
    .map((part) => part.trim().replace(/^type /, "").split(/ as |:/)[0]!.trim())
    .filter((name) => name !== "");
}

function resolve(from: string, target: string): string {
  return new URL(target, `file:///${from}`).pathname.slice(1);
}

/**
 * TypeScript declarations for the modules that the protobuf generator writes. Its own need Node's module loader; and
 * these are shorter: one read-only interface and one `Codec` for each message.
 */

/** The generator's JSON form of a schema, as far as it is read here. */
export interface NamespaceJson {
  readonly nested?: Readonly<Record<string, NestedJson>>;
}

interface NestedJson extends NamespaceJson {
  readonly fields?: Readonly<Record<string, FieldJson>>;
  readonly oneofs?: Readonly<Record<string, { readonly oneof: readonly string[] }>>;
  readonly values?: Readonly<Record<string, number>>;
  readonly methods?: unknown;
}

interface FieldJson {
  readonly type: string;
  readonly rule?: "repeated";
  readonly keyType?: string;
  readonly options?: { readonly proto3_optional?: boolean };
}

const SCALARS: Readonly<Record<string, string>> = {
  bool: "boolean",
  bytes: "Uint8Array",
  double: "number",
  float: "number",
  int32: "number",
  int64: "number",
  string: "string",
  uint32: "number",
  uint64: "number",
};

type Scope = readonly { readonly name: string; readonly node: NestedJson }[];

/** The text of a `.d.ts` file. `codec`: the path of the type of a codec. */
export function declarations(root: NamespaceJson, codec: string): string {
  const lines = [`import type { Codec } from "${codec}";`, ""];
  for (const [name, node] of entries(root)) declare(name, node, [{ name: "", node: root }], lines);
  return `${lines.join("\n")}\n`;
}

/** The schema without those of Google's well-known types that come with an import but are named nowhere. */
export function withoutUnused(root: NamespaceJson): NamespaceJson {
  const named = new Set(typeNames(root));
  const google = root.nested?.["google"]?.nested?.["protobuf"]?.nested;
  if (google === undefined) return root;
  const kept = Object.entries(google).filter(([name]) => named.has(name) || named.has(`google.protobuf.${name}`));
  const protobuf = { nested: Object.fromEntries(kept) };
  return { ...root, nested: { ...root.nested, google: { nested: { protobuf } } } };
}

function typeNames(node: NestedJson): string[] {
  const own = Object.values(node.fields ?? {}).map((field) => field.type);
  return [...own, ...Object.values(node.nested ?? {}).flatMap(typeNames)];
}

function entries(node: NamespaceJson): [string, NestedJson][] {
  return Object.entries(node.nested ?? {}).filter(([, nested]) => nested.methods === undefined);
}

function declare(name: string, node: NestedJson, outer: Scope, lines: string[]): void {
  const indent = "  ".repeat(outer.length - 1);
  const scope = [...outer, { name, node }];
  if (node.values !== undefined) {
    lines.push(`${indent}export enum ${name} {`);
    for (const [key, value] of Object.entries(node.values)) lines.push(`${indent}  ${key} = ${value},`);
    lines.push(`${indent}}`);
    return;
  }
  if (node.fields !== undefined) {
    lines.push(`${indent}export interface ${name} {`);
    for (const line of properties(node, scope)) lines.push(`${indent}  readonly ${line};`);
    lines.push(`${indent}}`);
  }
  const nested = entries(node);
  if (node.fields !== undefined && nested.length === 0) lines.push(`${indent}export const ${name}: Codec<${name}>;`);
  if (nested.length === 0) return;
  lines.push(`${indent}export namespace ${name} {`);
  if (node.fields !== undefined) {
    for (const method of ["encode", "decode"]) {
      lines.push(`${indent}  export const ${method}: Codec<${name}>["${method}"];`);
    }
  }
  for (const [child, childNode] of nested) declare(child, childNode, scope, lines);
  lines.push(`${indent}}`);
}

function properties(message: NestedJson, scope: Scope): string[] {
  const oneofs = Object.entries(message.oneofs ?? {}).filter(([name]) => !name.startsWith("_"));
  const alternatives = new Set(oneofs.flatMap(([, { oneof }]) => oneof));
  const lines = Object.entries(message.fields ?? {}).map(([name, field]) => {
    const type = valueType(field, scope);
    if (field.keyType !== undefined) return `${name}: { readonly [key: ${mapKey(field.keyType)}]: ${type} }`;
    if (field.rule === "repeated") return `${name}: readonly ${type}[]`;
    const absent = alternatives.has(name) || field.options?.proto3_optional === true || isMessage(field, scope);
    return `${name}: ${type}${absent ? " | null" : ""}`;
  });
  const names = oneofs.map(([name, { oneof }]) => `${name}?: ${oneof.map((one) => JSON.stringify(one)).join(" | ")}`);
  return [...lines, ...names];
}

function mapKey(type: string): string {
  if (type !== "string") throw new Error(`map with keys of type ${type}: only text is foreseen`);
  return "string";
}

function valueType(field: FieldJson, scope: Scope): string {
  const scalar = SCALARS[field.type];
  return scalar ?? resolve(field.type, scope).path;
}

function isMessage(field: FieldJson, scope: Scope): boolean {
  return SCALARS[field.type] === undefined && resolve(field.type, scope).node.values === undefined;
}

/** Finds a type by protobuf's rule: innermost scope first. */
function resolve(name: string, scope: Scope): { path: string; node: NestedJson } {
  const [first = "", ...rest] = name.replace(/^\./, "").split(".");
  for (let depth = name.startsWith(".") ? 1 : scope.length; depth > 0; depth--) {
    let node = scope[depth - 1]?.node.nested?.[first];
    for (const part of rest) node = node?.nested?.[part];
    if (node === undefined) continue;
    const outer = scope.slice(1, depth).map((level) => level.name);
    return { path: [...outer, first, ...rest].join("."), node };
  }
  throw new Error(`unknown type ${name} in ${scope.map((level) => level.name).join(".")}`);
}

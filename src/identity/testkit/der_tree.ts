/** Makes random changes to the elements of a DER encoding; the result is well-formed or almost well-formed. */
import fc from "fast-check";
import { concatBytes } from "../der_write.ts";

interface Node {
  readonly tag: number;
  /** The elements inside, also of an OCTET STRING or BIT STRING that consists of elements. */
  readonly children: Node[] | null;
  readonly bytes: Uint8Array;
  /** The number of bytes before the children: 1 in a BIT STRING, for the count of unused bits. */
  readonly lead: number;
}

const OCTETS = 0x04, BITS = 0x03;

/** Returns null where the bytes are not a sequence of elements. */
function parse(bytes: Uint8Array): Node[] | null {
  const nodes: Node[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at]!, first = bytes[at + 1];
    if (first === undefined || (tag & 0x1f) === 0x1f) return null;
    const count = first < 0x80 ? 0 : first & 0x7f;
    if (count > 3 || at + 2 + count > bytes.length) return null;
    let length = count === 0 ? first : 0;
    for (let i = 0; i < count; i++) length = length << 8 | bytes[at + 2 + i]!;
    const start = at + 2 + count;
    if (start + length > bytes.length) return null;
    nodes.push(nodeOf(tag, bytes.subarray(start, start + length)));
    at = start + length;
  }
  return nodes;
}

function nodeOf(tag: number, content: Uint8Array): Node {
  const lead = tag === BITS ? 1 : 0;
  const nested = (tag & 0x20) !== 0 || ((tag === OCTETS || tag === BITS) && content.length > lead + 1);
  const children = nested ? parse(content.subarray(lead)) : null;
  return { tag, children, bytes: content, lead };
}

/** One change of one element. */
interface Mutation {
  /** The index of the element, counted from the root, modulo the number of elements. */
  readonly at: number;
  readonly how:
    | "drop"
    | "double"
    | "swap"
    | "tag"
    | "byte"
    | "cut"
    | "grow"
    | "empty"
    | "move"
    | "long length"
    | "no length";
  readonly n: number;
}

/** An arbitrary change, for `fast-check`. */
export const mutation: fc.Arbitrary<Mutation> = fc.record({
  at: fc.nat(120),
  how: fc.constantFrom(
    "drop",
    "double",
    "swap",
    "tag",
    "byte",
    "cut",
    "grow",
    "empty",
    "move",
    "long length",
    "no length",
  ),
  n: fc.nat(0xffff),
});

/** Returns `der` with these changes. The lengths of the enclosing elements are corrected. */
export function mutated(der: Uint8Array, mutations: readonly Mutation[]): Uint8Array {
  let bytes = der;
  for (const one of mutations) {
    const nodes = parse(bytes);
    if (nodes !== null && nodes.length > 0) bytes = apply(nodes, one);
  }
  return bytes;
}

function apply(nodes: Node[], mutation: Mutation): Uint8Array {
  const all: { list: Node[]; index: number }[] = [];
  const walk = (list: Node[]) => {
    list.forEach((node, index) => {
      all.push({ list, index });
      if (node.children !== null) walk(node.children);
    });
  };
  walk(nodes);
  const { list, index } = all[mutation.at % all.length]!;
  const node = list[index]!;
  switch (mutation.how) {
    case "drop":
      list.splice(index, 1);
      break;
    case "double":
      list.splice(index, 0, node);
      break;
    case "swap":
      list.splice(index, 1);
      list.splice(mutation.n % (list.length + 1), 0, node);
      break;
    case "move": {
      const other = all[mutation.n % all.length]!;
      list[index] = raw(written([other.list[other.index]!]));
      break;
    }
    case "tag":
      list[index] = { ...node, tag: mutation.n & 0xff };
      break;
    case "empty":
      list[index] = leaf(node.tag, new Uint8Array());
      break;
    case "long length":
    case "no length":
      list[index] = raw(oddLength(node.tag, contentOf(node), mutation.how));
      break;
    default:
      list[index] = leaf(node.tag, mutatedContent(contentOf(node), mutation));
  }
  return written(nodes);
}

function leaf(tag: number, bytes: Uint8Array): Node {
  return { tag, children: null, bytes, lead: 0 };
}

/** Elements that are written unchanged. */
function raw(bytes: Uint8Array): Node {
  return leaf(-1, bytes);
}

function mutatedContent(content: Uint8Array, { how, n }: Mutation): Uint8Array {
  const copy = content.slice();
  if (how === "byte" && copy.length > 0) copy[n % copy.length] = n >> 8;
  if (how === "cut") return copy.subarray(0, n % (copy.length + 1));
  if (how === "grow") return concatBytes([copy, new Uint8Array(1 + n % 300).fill(n >> 8)]);
  return copy;
}

/** A length that is not minimal, or the indefinite one. */
function oddLength(tag: number, content: Uint8Array, how: "long length" | "no length"): Uint8Array {
  if (how === "no length") return concatBytes([Uint8Array.of(tag, 0x80), content, new Uint8Array(2)]);
  return concatBytes([Uint8Array.of(tag, 0x83, 0, content.length >> 8, content.length & 255), content]);
}

function contentOf({ children, bytes, lead }: Node): Uint8Array {
  return children === null ? bytes : concatBytes([bytes.subarray(0, lead), written(children)]);
}

function written(nodes: readonly Node[]): Uint8Array {
  return concatBytes(nodes.map((node) => {
    if (node.tag < 0) return node.bytes;
    const content = contentOf(node), { length } = content;
    const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 255];
    return concatBytes([Uint8Array.of(node.tag, ...head), content]);
  }));
}

/** Hostile frames and header blocks, in chunks that fill a few TLS records. */
import { Buffer } from "node:buffer";
import { FLAG_END_HEADERS, FLAG_END_STREAM, FrameType } from "../../src/h2/frame.ts";
import { frame, rst } from "../../src/h2/testkit/frames.ts";
import type { Peer } from "./peer.ts";

const CHUNK = 65_536;

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

/** As many copies of `bytes` as a chunk holds. */
export function copies(...bytes: readonly Uint8Array[]): Uint8Array {
  const one = Buffer.concat(bytes);
  const count = Math.max(1, Math.floor(CHUNK / one.length));
  const chunk = new Uint8Array(count * one.length);
  for (let i = 0; i < count; i++) chunk.set(one, i * one.length);
  return chunk;
}

/** Makes chunks of what `make` gives for one new stream after the other. `most`: streams in a chunk. */
export function requests(peer: Peer, make: (id: number) => readonly Uint8Array[], most = Infinity): () => Uint8Array {
  return () => {
    const parts: Uint8Array[] = [];
    for (let bytes = 0, count = 0; bytes < CHUNK && count < most; count++) {
      const made = make(peer.newId());
      parts.push(...made);
      bytes += made.reduce((sum, part) => sum + part.length, 0);
    }
    return Buffer.concat(parts);
  };
}

export function headers(id: number, block: Uint8Array, end: boolean): Uint8Array {
  return frame(FrameType.HEADERS, FLAG_END_HEADERS | (end ? FLAG_END_STREAM : 0), id, block);
}

export function openAndReset(id: number, block: Uint8Array): Uint8Array[] {
  return [headers(id, block, false), rst(id)];
}

// RFC 7541 §6.1, §6.2: entries of the static table, and literals without Huffman coding.
const METHOD = 2, AUTHORITY = 1, COOKIE = 32;
const GET_HTTP_SLASH = Uint8Array.of(0x82, 0x86, 0x84);

function integer(first: number, prefix: number, value: number): number[] {
  if (value < prefix) return [first | value];
  const bytes = [first | prefix];
  let left = value - prefix;
  for (; left >= 128; left >>>= 7) bytes.push((left & 127) | 128);
  return [...bytes, left];
}

function text(value: string): number[] {
  return [...integer(0, 127, value.length), ...new TextEncoder().encode(value)];
}

/** Literal without indexing, name from the static table. */
function literal(name: number, value: string): number[] {
  return [...integer(0, 15, name), ...text(value)];
}

export function connectBlock(authority: string): Uint8Array {
  return Uint8Array.from([...literal(METHOD, "CONNECT"), ...literal(AUTHORITY, authority)]);
}

/** A CONNECT from another network, whose baggage has labels that no other call has. */
export function baggageBlock(authority: string, number: number): Uint8Array {
  const field = (name: string, value: string) => [0, ...text(name), ...text(value)];
  const value = `${number}`.padEnd(200, "x");
  const members = ["k8s.cluster.name", "k8s.namespace.name", "k8s.deployment.name", "service.name", "service.version"];
  return Uint8Array.from([
    ...connectBlock(authority),
    ...field("x-forwarded-network", "elsewhere"),
    ...field("baggage", members.map((member) => `${member}=${value}`).join(",")),
  ]);
}

/** A GET, which is refused, with more fields behind it. */
export function requestBlock(...fields: readonly number[][]): Uint8Array {
  return Uint8Array.from([...GET_HTTP_SLASH, ...literal(AUTHORITY, "x"), ...fields.flat()]);
}

/** `count` fields that each enter the dynamic table and push others out. */
export function insertions(count: number, valueLength: number, salt: number): number[][] {
  return Array.from(
    { length: count },
    (_, i) => [0x40, ...text(`x${(salt + i) % 100_000}`), ...text("v".repeat(valueLength))],
  );
}

/** `count` references to the newest entry of the dynamic table, one byte each. */
export function references(count: number): number[][] {
  return [new Array(count).fill(0x80 | 62)];
}

export function crumbs(count: number): number[][] {
  return Array.from({ length: count }, () => literal(COOKIE, "a=b"));
}

/** Dynamic table size updates, a byte or three each. */
export function sizeUpdates(count: number): number[] {
  return Array.from({ length: count }, (_, i) => integer(0x20, 31, i % 2 === 0 ? 0 : 4096)).flat();
}

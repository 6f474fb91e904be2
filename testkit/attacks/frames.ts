/** Hostile frames and header blocks, in chunks that fill a few TLS records. */
import { Buffer } from "node:buffer";
import { FLAG_END_HEADERS, FLAG_END_STREAM, FrameType } from "../../src/h2/frame.ts";
import { frame, rst } from "../../src/h2/testkit/frames.ts";
import type { Peer } from "./peer.ts";

/** Bytes of a chunk. */
const CHUNK = 65_536;

/** Concatenates byte strings. */
export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

/** As many copies of `bytes`, at least one, as a chunk holds. */
export function copies(...bytes: readonly Uint8Array[]): Uint8Array {
  const one = Buffer.concat(bytes);
  const count = Math.max(1, Math.floor(CHUNK / one.length));
  const chunk = new Uint8Array(count * one.length);
  for (let i = 0; i < count; i++) chunk.set(one, i * one.length);
  return chunk;
}

/** Returns a function that fills a chunk with the frames that `make` returns for new stream ids, for at most `most` streams. */
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

/** A HEADERS frame with a complete header block. `end`: with END_STREAM. */
export function headers(id: number, block: Uint8Array, end: boolean): Uint8Array {
  return frame(FrameType.HEADERS, FLAG_END_HEADERS | (end ? FLAG_END_STREAM : 0), id, block);
}

/** HEADERS of a new stream, then RST_STREAM. */
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

/** The header block of a CONNECT. */
export function connectBlock(authority: string): Uint8Array {
  return Uint8Array.from([...literal(METHOD, "CONNECT"), ...literal(AUTHORITY, authority)]);
}

/** The header block of a CONNECT from another network, whose baggage has labels with a different value for each `number`. */
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

/** The header block of a GET, which the proxy refuses, followed by `fields`. */
export function requestBlock(...fields: readonly number[][]): Uint8Array {
  return Uint8Array.from([...GET_HTTP_SLASH, ...literal(AUTHORITY, "x"), ...fields.flat()]);
}

/** `count` fields with incremental indexing (RFC 7541 §6.2.1), whose names start at `salt`. */
export function insertions(count: number, valueLength: number, salt: number): number[][] {
  return Array.from(
    { length: count },
    (_, i) => [0x40, ...text(`x${(salt + i) % 100_000}`), ...text("v".repeat(valueLength))],
  );
}

/** `count` references of one byte each to the newest entry of the dynamic table. */
export function references(count: number): number[][] {
  return [new Array(count).fill(0x80 | 62)];
}

/** `count` `cookie` fields. */
export function crumbs(count: number): number[][] {
  return Array.from({ length: count }, () => literal(COOKIE, "a=b"));
}

/** `count` dynamic table size updates (RFC 7541 §6.3) of one or three bytes each. */
export function sizeUpdates(count: number): number[] {
  return Array.from({ length: count }, (_, i) => integer(0x20, 31, i % 2 === 0 ? 0 : 4096)).flat();
}

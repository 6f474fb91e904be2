/**
 * Iterates over a delta response without decoding it as a whole: it may have 200 MB, and a decoder would block the loop
 * for seconds and keep all data twice. First {@link checkResponse} checks the whole envelope once and keeps only sums;
 * afterwards generators read the resources one by one.
 */
import type { ByteBlocks } from "../grpc/byte_blocks.ts";
import { discard } from "../os/memory.ts";
import { BlockReader, WireError } from "./block_reader.ts";
import { type NameList, NO_ALIASES, type ResourceNames } from "./name_list.ts";
import type { RawResource, Rejection } from "./resources.ts";

/** A resource of the envelope, or why it is rejected without decoding its payload. */
type EnvelopeResource = RawResource | Rejection;

/** A checked response. */
export interface DeltaResponse {
  readonly typeUrl: string;
  readonly nonce: string;
  /** The sum of the payloads' lengths, without names and versions (`docs/spec/xds-state.md` 2.12). */
  readonly payloadBytes: number;
  /** How many resources and removed names it has. */
  readonly size: number;
  readonly removes: number;
  /** The number of rejections that {@link resourcesOf} returns. */
  readonly rejected: number;
  readonly bytes: ByteBlocks;
  /** The positions of resources and of removed names in `bytes`. */
  readonly resources: Ranges;
  readonly removed: Ranges;
}

/** Ranges of consecutive fields of one kind; usually one range, as senders write them in order. */
type Ranges = readonly (readonly [from: number, to: number])[];

/** Fields of `DeltaDiscoveryResponse`, `Resource` and `Any` (`docs/spec/xds-state.md` 1.2). */
const RESPONSE = { resources: 2, typeUrl: 4, nonce: 5, removed: 6 } as const;
const RESOURCE = { version: 1, any: 2, name: 3, aliases: 4 } as const;
const ANY_VALUE = 2;

/**
 * Bytes. The largest resources are policies, of at most the 1.5 MB of a Kubernetes object. Decoding longer ones would
 * block the loop.
 */
const MAX_PAYLOAD = 4 * 1024 * 1024;
/** Limits per resource, without its payload: number of fields, and bytes of names, aliases and version. */
const MAX_FIELDS = 4096;
const MAX_TEXTS = 1024 * 1024;
/** Senders do not interleave resources and removed names. */
const MAX_RANGES = 10_000;

/**
 * Checks the envelope, one field per step, so that the caller may pause between steps; returns the response, or why the
 * message is not valid. The check includes all texts, so the generators below do not throw.
 */
export function* checkResponse(bytes: ByteBlocks): Generator<void, DeltaResponse | WireError> {
  let typeUrl = "", nonce = "", payloadBytes = 0, size = 0, removes = 0, rejected = 0;
  const resources: [number, number][] = [], removed: [number, number][] = [];
  try {
    const fields = new BlockReader(bytes, 0, bytes.length);
    while (fields.next()) {
      if (fields.isBytes(RESPONSE.resources)) {
        const payload = checkResource(fields.nested());
        payloadBytes += Math.max(0, payload);
        size++;
        if (payload < 0 || payload > MAX_PAYLOAD) rejected++;
        addToRanges(resources, fields);
      } else if (fields.isBytes(RESPONSE.removed)) {
        fields.checkText();
        removes++;
        addToRanges(removed, fields);
      } else if (fields.isBytes(RESPONSE.typeUrl)) typeUrl = fields.text();
      else if (fields.isBytes(RESPONSE.nonce)) nonce = fields.text();
      yield;
    }
    return { typeUrl, nonce, payloadBytes, size, removes, rejected, bytes, resources, removed };
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
}

function addToRanges(ranges: [number, number][], { from, to }: BlockReader): void {
  const last = ranges.at(-1);
  if (last !== undefined && last[1] === from) last[1] = to;
  else if (ranges.push([from, to]) > MAX_RANGES) throw new WireError("resources and removed names come by turns");
}

/** Yields every field of some ranges. */
function* fieldsOf(bytes: ByteBlocks, ranges: Ranges): Generator<BlockReader> {
  for (const [from, to] of ranges) {
    const fields = new BlockReader(bytes, from, to);
    while (fields.next()) yield fields;
  }
}

/** Checks a resource; returns the length of its payload, -1 where it has none. */
function checkResource(fields: BlockReader): number {
  let payload = -1, count = 0, texts = 0;
  while (fields.next()) {
    if (++count > MAX_FIELDS) throw new WireError(`resource with more than ${MAX_FIELDS} fields`);
    if (fields.isBytes(RESOURCE.any)) payload = valueOf(fields.nested())?.length ?? Math.max(0, payload);
    else if (fields.isBytes(RESOURCE.version) || fields.isBytes(RESOURCE.name) || fields.isBytes(RESOURCE.aliases)) {
      texts += fields.end - fields.start;
      if (texts > MAX_TEXTS) throw new WireError(`resource with names of more than ${MAX_TEXTS} bytes`);
      fields.checkText();
    }
  }
  return payload;
}

/** Returns the position of the value of an Any; null where it has none. */
function valueOf(any: BlockReader): { readonly start: number; readonly length: number } | null {
  let value: { start: number; length: number } | null = null;
  while (any.next()) if (any.isBytes(ANY_VALUE)) value = { start: any.start, length: any.end - any.start };
  return value;
}

/** Yields the resources of a checked response, in order. */
export function* resourcesOf({ bytes, resources }: DeltaResponse): Generator<EnvelopeResource> {
  for (const field of fieldsOf(bytes, resources)) yield resourceOf(readEnvelope(field.nested()), bytes);
}

/**
 * Yields the resources without the rejections and adds the names of all to `names`. Frees the memory of resources that
 * were read, so that each payload is valid until the next step; no generator may read resources afterwards.
 */
export function* takeResources({ bytes, resources, removed }: DeltaResponse, names: NameList): Generator<RawResource> {
  const needed = removed[0]?.[0] ?? Infinity;
  for (const field of fieldsOf(bytes, resources)) {
    const envelope = readEnvelope(field.nested());
    names.add(envelope);
    const resource = resourceOf(envelope, bytes);
    if (!isRejection(resource)) yield resource;
    bytes.releaseTo(Math.min(field.to, needed), discard);
  }
}

interface Envelope extends ResourceNames {
  /** The position of the payload. */
  readonly start: number;
  /** The length of the payload; -1: none. */
  readonly length: number;
}

function readEnvelope(fields: BlockReader): Envelope {
  let name = "", version = "";
  let aliases: string[] | null = null;
  let start = 0, length = -1;
  while (fields.next()) {
    if (fields.isBytes(RESOURCE.name)) name = fields.text();
    else if (fields.isBytes(RESOURCE.version)) version = fields.text();
    else if (fields.isBytes(RESOURCE.aliases)) (aliases ??= []).push(fields.text());
    else if (fields.isBytes(RESOURCE.any)) {
      const value = valueOf(fields.nested());
      if (value !== null) ({ start, length } = value);
      // An Any without a value is an empty payload.
      else length = Math.max(0, length);
    }
  }
  return { name, version, aliases: aliases ?? NO_ALIASES, start, length };
}

function resourceOf({ name, version, start, length }: Envelope, bytes: ByteBlocks): EnvelopeResource {
  if (length < 0) return { name, reason: "XDS payload without resource" };
  if (length > MAX_PAYLOAD) {
    return { name, reason: `decode: payload of ${length} bytes is longer than the limit of ${MAX_PAYLOAD} bytes` };
  }
  return { name, version, body: bytes.slice(start, start + length) };
}

/** True for a resource that is rejected without decoding its payload. */
export function isRejection(resource: EnvelopeResource): resource is Rejection {
  return "reason" in resource;
}

/** Yields the names of the resources of a checked response. */
export function* namesOf({ bytes, resources }: DeltaResponse): Generator<ResourceNames> {
  for (const field of fieldsOf(bytes, resources)) {
    const { name, version, aliases } = readEnvelope(field.nested());
    yield { name, version, aliases };
  }
}

/** Yields `removed_resources` of a checked response, in order. */
export function* removedFrom({ bytes, removed }: DeltaResponse): Generator<string> {
  for (const field of fieldsOf(bytes, removed)) yield field.text();
}

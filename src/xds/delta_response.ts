/**
 * A delta response, walked over instead of decoded: it may have 200 MB, and a decoder would hold the loop for seconds
 * and all of it twice. First {@link checkResponse} goes through the whole envelope once and keeps sums only; from then
 * on resources are made as they are asked for, by walking again.
 */
import type { ByteBlocks } from "../grpc/byte_blocks.ts";
import { discard } from "../os/memory.ts";
import { BlockReader, WireError } from "./block_reader.ts";
import { type NameList, NO_ALIASES, type ResourceNames } from "./name_list.ts";
import type { RawResource, Rejection } from "./resources.ts";

/** A resource as it stands in the envelope, or why nobody needs to look into it. */
export type EnvelopeResource = RawResource | Rejection;

export interface DeltaResponse {
  readonly typeUrl: string;
  readonly nonce: string;
  /** Sum of the payloads' lengths: names and versions do not count (2.12). */
  readonly payloadBytes: number;
  /** Resources that are rejections, as {@link resourcesOf} gives them. */
  readonly rejected: number;
  readonly bytes: ByteBlocks;
  /** Where resources lie, and removed names: who walks over the ones need not walk over the others. */
  readonly resources: Runs;
  readonly removed: Runs;
}

/** From where to where fields of one kind lie behind each other: all of them, as senders do it. */
type Runs = readonly (readonly [from: number, to: number])[];

/** Fields of `DeltaDiscoveryResponse`, `Resource` and `Any` (`docs/spec/xds-state.md` 1.2). */
const RESPONSE = { resources: 2, typeUrl: 4, nonce: 5, removed: 6 } as const;
const RESOURCE = { version: 1, any: 2, name: 3, aliases: 4 } as const;
const ANY_VALUE = 2;

/** A policy may have the 1.5 MB of a Kubernetes object; nothing else comes near. Longer ones would hold the loop. */
const MAX_PAYLOAD = 4 * 1024 * 1024;
/** Of one resource, its payload aside: most of it are aliases. */
const MAX_FIELDS = 4096;
const MAX_TEXTS = 1024 * 1024;
/** Nobody sends resources and removed names by turns. */
const MAX_RUNS = 10_000;

/**
 * Steps through the envelope, one field at a time, so that the caller may pause anywhere; returns the response, or why
 * the message is none. Everything later is made of has been looked at then, text included: nothing throws later on.
 */
export function* checkResponse(bytes: ByteBlocks): Generator<void, DeltaResponse | WireError> {
  let typeUrl = "", nonce = "", payloadBytes = 0, rejected = 0;
  const resources: [number, number][] = [], removed: [number, number][] = [];
  try {
    const fields = new BlockReader(bytes, 0, bytes.length);
    while (fields.next()) {
      if (fields.isBytes(RESPONSE.resources)) {
        const payload = checkResource(fields.nested());
        payloadBytes += Math.max(0, payload);
        if (payload < 0 || payload > MAX_PAYLOAD) rejected++;
        addToRuns(resources, fields);
      } else if (fields.isBytes(RESPONSE.removed)) {
        fields.checkText();
        addToRuns(removed, fields);
      } else if (fields.isBytes(RESPONSE.typeUrl)) typeUrl = fields.text();
      else if (fields.isBytes(RESPONSE.nonce)) nonce = fields.text();
      yield;
    }
    return { typeUrl, nonce, payloadBytes, rejected, bytes, resources, removed };
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
}

function addToRuns(runs: [number, number][], { from, to }: BlockReader): void {
  const last = runs.at(-1);
  if (last !== undefined && last[1] === from) last[1] = to;
  else if (runs.push([from, to]) > MAX_RUNS) throw new WireError("resources and removed names come by turns");
}

/** Every field of some runs: one step for each. */
function* fieldsOf(bytes: ByteBlocks, runs: Runs): Generator<BlockReader> {
  for (const [from, to] of runs) {
    const fields = new BlockReader(bytes, from, to);
    while (fields.next()) yield fields;
  }
}

/** The length of the payload; -1 where there is none. */
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

/** Where the value of an Any lies; null where there is none. */
function valueOf(any: BlockReader): { readonly start: number; readonly length: number } | null {
  let value: { start: number; length: number } | null = null;
  while (any.next()) if (any.isBytes(ANY_VALUE)) value = { start: any.start, length: any.end - any.start };
  return value;
}

/** The resources of a checked response, in its order. */
export function* resourcesOf({ bytes, resources }: DeltaResponse): Generator<EnvelopeResource> {
  for (const field of fieldsOf(bytes, resources)) yield resourceOf(readEnvelope(field.nested()), bytes);
}

/**
 * The same for the last time, without the rejections; what all of them are called goes into `names`. The memory behind
 * the walker is given back, so a payload is there until the next one is asked for.
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
  /** Where the payload lies. */
  readonly start: number;
  /** Negative where there is none. */
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
      // An Any without a value is there, and empty.
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

export function isRejection(resource: EnvelopeResource): resource is Rejection {
  return "reason" in resource;
}

/** What the resources of a checked response are called. */
export function* namesOf({ bytes, resources }: DeltaResponse): Generator<ResourceNames> {
  for (const field of fieldsOf(bytes, resources)) {
    const { name, version, aliases } = readEnvelope(field.nested());
    yield { name, version, aliases };
  }
}

/** `removed_resources` of a checked response, in its order. */
export function* removedFrom({ bytes, removed }: DeltaResponse): Generator<string> {
  for (const field of fieldsOf(bytes, removed)) yield field.text();
}

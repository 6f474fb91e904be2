/** The parts that all objects have: metadata and selectors. */
import type { Field, Fields } from "../static_file/field.ts";
import type { Labels } from "./objects.ts";

/** Where an object without a namespace goes, as with kubectl. */
const DEFAULT_NAMESPACE = "default";
/** Names of Kubernetes objects (RFC 1123). */
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const NAME_RULE = "a name of lower-case letters, digits, - and .";

/** The metadata of an object. */
export interface Metadata {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  /** ISO 8601. */
  readonly created: string | null;
}

/** Reads `metadata`. Other keys of it are ignored, as clusters add some. */
export function readMetadata(object: Fields): Metadata {
  const fields = object.required("metadata").object([], false);
  const namespace = fields.nullable("namespace");
  return {
    namespace: namespace === null ? DEFAULT_NAMESPACE : readName(namespace),
    name: readName(fields.required("name")),
    labels: readLabels(fields.nullable("labels")),
    annotations: readLabels(fields.nullable("annotations")),
    created: fields.nullable("creationTimestamp")?.parsed("a time such as 2026-01-31T12:00:00Z", canonicalTime) ?? null,
  };
}

function canonicalTime(text: string): string | null {
  const time = Date.parse(text);
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}

function readName(field: Field): string {
  return field.parsed(NAME_RULE, (text) => NAME.test(text) ? text : null);
}

function readLabels(field: Field | null): Labels {
  return Object.fromEntries((field?.entries() ?? []).map(([key, value]) => [key, value.string()]));
}

/** Reads `spec.selector`. */
export function readSelector(field: Field | null): Labels | null {
  if (field === null) return null;
  const labels = field.object(["matchLabels"]).nullable("matchLabels");
  for (const [key, value, where] of labels?.entries() ?? []) {
    if (key === "") where.reject(`${field.path} has a label without a name`);
    if (key.includes("*") || value.string().includes("*")) {
      where.reject(`${field.path} has a *, which is no wildcard there`);
    }
  }
  return readLabels(labels);
}

/** Whether a selector selects what has these labels. */
export function selects(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

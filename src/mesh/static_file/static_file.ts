/**
 * The static file of `LOCAL_XDS_PATH` and `LOCAL_XDS`: workloads, services and policies in YAML or JSON
 * (`docs/spec/config-admin.md` 2). Unlike with xDS, absent fields are empty and get no defaults.
 */
import type { MeshChange, PolicyChange, ServiceChange, WorkloadChange } from "../model/changes.ts";
import { readPolicy } from "./policy.ts";
import type { Field } from "./field.ts";
import { readDocument } from "./reader.ts";
import { readService } from "./service.ts";
import { readWorkload } from "./workload.ts";

/** The content of a static file. */
export interface StaticFile {
  readonly workloads: readonly WorkloadChange[];
  readonly services: readonly ServiceChange[];
  readonly policies: readonly PolicyChange[];
}

/** The content of an empty static file. */
export const EMPTY_STATIC_FILE: StaticFile = Object.freeze({ workloads: [], services: [], policies: [] });

/**
 * Reads a static file. `name`: its name in messages, a path or `LOCAL_XDS`.
 *
 * @throws ConfigError naming the place, the key, the value and what is accepted.
 */
export function parseStaticFile(text: string, name: string): StaticFile {
  const top = readDocument(text, name)?.object(["workloads", "services", "policies"]);
  if (top === undefined) return EMPTY_STATIC_FILE;
  return {
    workloads: unique(top.nullable("workloads"), readWorkload, (change) => change.workload.uid, "uid"),
    services: unique(top.nullable("services"), readService, (change) => change.service.key, "namespace/hostname"),
    policies: unique(top.nullable("policies"), readPolicy, (change) => change.key, "namespace/name"),
  };
}

function unique<T>(
  field: Field | null,
  read: (item: Field) => T,
  keyOf: (value: T) => string,
  keyName: string,
): readonly T[] {
  const first = new Map<string, string>();
  return field?.list().map((item) => {
    const value = read(item);
    const key = keyOf(value);
    const other = first.get(key);
    if (other !== undefined) item.reject(`${item.path} has the ${keyName} ${JSON.stringify(key)}, as ${other} has`);
    first.set(key, item.path);
    return value;
  }) ?? [];
}

/** One batch that replaces the whole mesh by the file's content. */
export function changesOf(file: StaticFile): readonly MeshChange[] {
  return [{ kind: "clear" }, ...file.workloads, ...file.policies, ...file.services];
}

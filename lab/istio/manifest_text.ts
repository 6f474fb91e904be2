/** Kubernetes objects as text and back. */
import { parseAllDocuments, stringify } from "yaml";

/** A Kubernetes object. */
export interface KubernetesObject {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

/** The objects of a text of YAML documents; documents without one are left out. */
export function objectsOf(text: string): KubernetesObject[] {
  return parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject).filter((object) =>
    object !== null
  );
}

/** The text of objects, without the comments that they may have had. */
export function manifestText(objects: readonly unknown[]): string {
  return objects.map((object) => stringify(object, { lineWidth: 120, aliasDuplicateObjects: false })).join("---\n");
}

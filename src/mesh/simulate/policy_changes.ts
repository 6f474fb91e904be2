/** The changes to simulate, as plain values: what the files and the deletions say. */
import type { AuthorizationPolicy, IstioObject, Labels, PeerAuthentication } from "../istio_policies/objects.ts";

/** A deletion. */
export interface Deletion {
  readonly kind: "AuthorizationPolicy" | "PeerAuthentication";
  readonly namespace: string;
  readonly name: string;
}

/** All changes. Of several objects with one name the last one counts; deletions come last. */
export interface PolicyChanges {
  readonly policies: readonly AuthorizationPolicy[];
  readonly authentications: readonly PeerAuthentication[];
  readonly deletions: readonly Deletion[];
  /** Labels of pods by `namespace/name`. */
  readonly pods: ReadonlyMap<string, Labels>;
  /** The root namespace of the mesh. */
  readonly root: string;
}

/** The root namespace of most meshes. */
export const DEFAULT_ROOT = "istio-system";

/** Gathers what was read. */
export function gatherChanges(
  objects: Iterable<IstioObject>,
  deletions: readonly Deletion[],
  root: string,
): PolicyChanges {
  const policies = new Map<string, AuthorizationPolicy>();
  const authentications = new Map<string, PeerAuthentication>();
  const pods = new Map<string, Labels>();
  for (const object of objects) {
    const key = `${object.namespace}/${object.name}`;
    if (object.kind === "Pod") pods.set(key, object.labels);
    else if (object.kind === "AuthorizationPolicy") policies.set(key, object);
    else authentications.set(key, object);
  }
  for (const { kind, namespace, name } of deletions) {
    if (kind === "AuthorizationPolicy") policies.delete(`${namespace}/${name}`);
  }
  return { policies: [...policies.values()], authentications: [...authentications.values()], deletions, pods, root };
}

/** Reads `[PeerAuthentication/]NAMESPACE/NAME`. Null: it is no deletion. */
export function parseDeletion(text: string): Deletion | null {
  const [, kind = "AuthorizationPolicy", namespace = "", name = ""] =
    /^(?:(AuthorizationPolicy|PeerAuthentication)\/)?([-a-z0-9.]+)\/([-a-z0-9.]+)$/.exec(text) ?? [];
  return name === "" ? null : { kind: kind as Deletion["kind"], namespace, name };
}

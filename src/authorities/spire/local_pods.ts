/** The pods of this node, as the CNI agent has announced them. */

/** A pod of this node. */
export interface LocalPod {
  /** The uid of the Kubernetes object. */
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Device and inode of its network namespace, as `namespaceIdentity` writes them; null: not known. */
  readonly networkNamespace: string | null;
}

/** Finds a pod by the uid of a certificate's subject; returns null where the CNI agent has not announced it. */
export type FindPod = (workloadUid: string) => LocalPod | null;

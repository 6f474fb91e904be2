/** What the node's CNI agent has said about a pod, for authorities that tell pods apart. */

export interface LocalPod {
  /** Of Kubernetes. */
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Device and inode of its network namespace, as `namespaceIdentity` writes them; null: not known. */
  readonly networkNamespace: string | null;
}

/** By the uid of a certificate's subject; null: nobody has announced such a pod. */
export type FindPod = (workloadUid: string) => LocalPod | null;

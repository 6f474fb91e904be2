/** A pod's namespace with its descriptor, which is closed when nobody refers to it any more. */
import { namespaceIdentity } from "../os/namespace.ts";
import { OwnedDescriptor } from "../os/owned_descriptor.ts";
import type { PodNamespace } from "./pod.ts";

/** Takes `lent` from its owner, with one reference for the caller. Throws where it cannot be looked at. */
export function referNamespace(lent: OwnedDescriptor): PodNamespace {
  const descriptor = new OwnedDescriptor(lent.take());
  let identity: string;
  try {
    identity = namespaceIdentity(descriptor.fd);
  } catch (error) {
    descriptor.close();
    throw error;
  }
  let references = 1;
  return {
    identity,
    get descriptor() {
      return descriptor.fd;
    },
    retain() {
      references++;
    },
    release() {
      if (--references === 0) descriptor.close();
    },
  };
}

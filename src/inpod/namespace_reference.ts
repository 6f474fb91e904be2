/** A pod's network namespace with a reference-counted descriptor. */
import { namespaceIdentity } from "../os/namespace.ts";
import { OwnedDescriptor } from "../os/owned_descriptor.ts";
import type { PodNamespace } from "./pod.ts";

/** Takes the descriptor from `lent`; the caller has one reference. Throws where its identity cannot be read. */
export function takeNamespace(lent: OwnedDescriptor): PodNamespace {
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

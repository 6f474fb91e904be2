/** Process limits and allocator settings. */
import { RLIMIT_NOFILE } from "./constants.ts";
import { errno, libc } from "./libc.ts";
import { SystemError } from "./errno.ts";

export interface DescriptorLimit {
  readonly soft: number;
  readonly hard: number;
}

export function descriptorLimit(): DescriptorLimit {
  const limits = new BigUint64Array(2);
  if (libc.getrlimit(RLIMIT_NOFILE, new Uint8Array(limits.buffer)) !== 0) throw new SystemError("getrlimit", errno());
  return { soft: Number(limits[0]), hard: Number(limits[1]) };
}

/** Raises the soft limit of open descriptors to the hard one. Returns both as they were before. */
export function raiseDescriptorLimit(): DescriptorLimit {
  const before = descriptorLimit();
  const hard = BigInt(before.hard);
  const limits = new BigUint64Array([hard, hard]);
  if (libc.setrlimit(RLIMIT_NOFILE, new Uint8Array(limits.buffer)) !== 0) throw new SystemError("setrlimit", errno());
  return before;
}

/** Limits of the process. */
import { RLIMIT_NOFILE } from "./constants.ts";
import { errno, libc } from "./libc.ts";
import { SystemError } from "./errno.ts";

export interface DescriptorLimit {
  readonly soft: number;
  readonly hard: number;
}

/** Limits of open descriptors, [soft, hard]. 64 bits: "unlimited" is all ones, which a number cannot hold. */
function readLimits(): BigUint64Array<ArrayBuffer> {
  const limits = new BigUint64Array(2);
  if (libc.getrlimit(RLIMIT_NOFILE, new Uint8Array(limits.buffer)) !== 0) throw new SystemError("getrlimit", errno());
  return limits;
}

export function descriptorLimit(): DescriptorLimit {
  const [soft, hard] = readLimits();
  return { soft: Number(soft), hard: Number(hard) };
}

/** Raises the soft limit of open descriptors to the hard one. Returns both as they were before. */
export function raiseDescriptorLimit(): DescriptorLimit {
  const limits = readLimits();
  const before = { soft: Number(limits[0]), hard: Number(limits[1]) };
  limits[0] = limits[1]!;
  if (libc.setrlimit(RLIMIT_NOFILE, new Uint8Array(limits.buffer)) !== 0) throw new SystemError("setrlimit", errno());
  return before;
}

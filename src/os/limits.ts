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

/** Left to the runtime, which panics where it gets no descriptor (seen: its signal handling). */
const RESERVE = 64;

/** Descriptors up to this number are for sockets of ours: all but the reserve, three quarters of a very low limit. */
export function descriptorCeiling(softLimit: number): number {
  return Math.max(softLimit - RESERVE, Math.floor(softLimit * 3 / 4));
}

let ceiling: number | null = null;

/**
 * Whether a new descriptor takes one from the reserve: then it must be closed, as if there had been none. The kernel
 * gives the lowest free number, so the number tells how many there are. The limit is read once.
 */
export function isFromReserve(descriptor: number): boolean {
  ceiling ??= descriptorCeiling(descriptorLimit().soft);
  return descriptor >= ceiling;
}

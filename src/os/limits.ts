/** Limits of the process that the system sets. */
import { RLIMIT_NOFILE } from "./constants.ts";
import { errno, LIBC } from "./libc.ts";
import { openRarely } from "./rare_functions.ts";
import { SystemError } from "./errno.ts";

const symbols = openRarely(LIBC, {
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
});

/** How many descriptors the process may have open. */
interface DescriptorLimit {
  readonly soft: number;
  readonly hard: number;
}

/** Limits of open descriptors, [soft, hard]. 64 bits: "unlimited" is all ones, which a number cannot hold. */
function readLimits(): BigUint64Array<ArrayBuffer> {
  const limits = new BigUint64Array(2);
  if (symbols.getrlimit(RLIMIT_NOFILE, new Uint8Array(limits.buffer)) !== 0) {
    throw new SystemError("getrlimit", errno());
  }
  return limits;
}

/** The limits of open descriptors now. Throws {@link SystemError}. */
export function descriptorLimit(): DescriptorLimit {
  const [soft, hard] = readLimits();
  return { soft: Number(soft), hard: Number(hard) };
}

/** Raises the soft limit of open descriptors to the hard one. Returns both as they were before. Throws {@link SystemError}. */
export function raiseDescriptorLimit(): DescriptorLimit {
  const limits = readLimits();
  const before = { soft: Number(limits[0]), hard: Number(limits[1]) };
  limits[0] = limits[1]!;
  if (symbols.setrlimit(RLIMIT_NOFILE, new Uint8Array(limits.buffer)) !== 0) {
    throw new SystemError("setrlimit", errno());
  }
  return before;
}

/** Descriptors that are reserved for the runtime: without one it panics (observed in its signal handling). */
const RESERVE = 64;

/** Sockets use descriptors below this number: all but the reserve, or three quarters of a very low limit. */
export function descriptorCeiling(softLimit: number): number {
  return Math.max(softLimit - RESERVE, Math.floor(softLimit * 3 / 4));
}

let ceiling: number | null = null;

/**
 * Whether a new descriptor belongs to the reserve. Then the caller must close it and report that there was none. The
 * kernel assigns the lowest free number, so the number tells how many are open. The limit is read once.
 */
export function isFromReserve(descriptor: number): boolean {
  ceiling ??= descriptorCeiling(descriptorLimit().soft);
  return descriptor >= ceiling;
}

/** The status of files that the runtime would not let this process look at. */
import { cString, errno, LIBC } from "./libc.ts";
import { SystemError } from "./errno.ts";
import { openRarely } from "./rare_functions.ts";

const symbols = openRarely(LIBC, {
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  access: { parameters: ["buffer", "i32"], result: "i32" },
});

const AT_FDCWD = -100;
const STATX_TYPE_AND_MODE = 3;
/** `struct statx`, the same on every architecture: the offset of the mode, and the size. */
const STATX = { mode: 28, size: 256 };
const KIND = 0o170000, SOCKET = 0o140000;
const W_OK = 2;

/** What a path names. */
interface FileStatus {
  readonly isSocket: boolean;
  /** The bits of `chmod`: 0o600. */
  readonly permissions: number;
}

/** Follows symbolic links. Throws {@link SystemError}. */
export function fileStatus(path: string): FileStatus {
  const status = new Uint8Array(STATX.size);
  if (symbols.statx(AT_FDCWD, cString(path), 0, STATX_TYPE_AND_MODE, status) !== 0) {
    throw new SystemError(`statx ${path}`, errno());
  }
  const mode = new DataView(status.buffer).getUint16(STATX.mode, true);
  return { isSocket: (mode & KIND) === SOCKET, permissions: mode & 0o7777 };
}

/** Whether this process may write to the file, or connect to the socket. */
export function isWritable(path: string): boolean {
  return symbols.access(cString(path), W_OK) === 0;
}

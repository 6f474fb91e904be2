/**
 * Writing to standard output and standard error without waiting for the process that reads them.
 *
 * The log usually goes to a pipe that a container runtime reads. When the reader stalls, a plain write blocks the
 * thread, and a worker's thread carries the traffic of the whole node. The descriptor itself cannot be made
 * non-blocking: that flag belongs to the open file, which the process shares with its parent and its siblings.
 */
import { EAGAIN, EINTR, SystemError } from "./errno.ts";
import * as c from "./constants.ts";
import { cString, errno, intCell, LIBC, libc } from "./libc.ts";
import { openRarely } from "./rare_functions.ts";

const symbols = openRarely(LIBC, {
  isatty: { parameters: ["i32"], result: "i32" },
});

/** How to write to a descriptor without waiting. Plain data: isolates share it. */
export type Output =
  /** A pipe or a terminal, opened again for this process alone, so that O_NONBLOCK does not affect others. */
  | { readonly how: "own"; readonly fd: number }
  /** A socket: MSG_DONTWAIT is passed with each call. */
  | { readonly how: "socket"; readonly fd: number }
  /** A pipe or a terminal that could not be opened again (it belongs to another user): polled before each write. */
  | { readonly how: "poll-first"; readonly fd: number }
  /** A file: writes do not wait for a reader. */
  | { readonly how: "file"; readonly fd: number };

/** PIPE_BUF of Linux: a writable pipe takes this much at once, and does not mix it with other writes. */
const PIPE_ATOMIC = 4096;

/** `fd`: standard output or standard error. Where it is opened again, the new descriptor stays open as long as the process lives. */
export function openOutput(fd: number): Output {
  const type = intCell();
  const length = intCell(4);
  if (libc.getsockopt(fd, c.SOL_SOCKET, c.SO_TYPE, type.bytes, length.bytes) === 0) return { how: "socket", fd };
  if (libc.fcntl(fd, c.F_GETPIPE_SZ, 0) < 0 && symbols.isatty(fd) === 0) return { how: "file", fd };
  const flags = c.O_WRONLY | c.O_NONBLOCK | c.O_NOCTTY | c.O_CLOEXEC;
  const own = libc.open(cString(`/proc/self/fd/${fd}`), flags, 0);
  return own < 0 ? { how: "poll-first", fd } : { how: "own", fd: own };
}

/** Returns how many of the first `length` bytes were written; 0 when it would block. Throws a {@link SystemError}. */
export function writeOutput({ how, fd }: Output, bytes: Uint8Array<ArrayBuffer>): number {
  for (;;) {
    const taken = attempt(how, fd, bytes);
    if (taken >= 0) return taken;
    const number = errno();
    if (number === EAGAIN) return 0;
    if (number !== EINTR) throw new SystemError("write", number);
  }
}

function attempt(how: Output["how"], fd: number, bytes: Uint8Array<ArrayBuffer>): number {
  switch (how) {
    case "own":
    case "file":
      return libc.write(fd, bytes, bytes.length);
    case "socket":
      return libc.send(fd, bytes, bytes.length, c.MSG_DONTWAIT | c.MSG_NOSIGNAL);
    case "poll-first":
      return isWritable(fd) ? libc.write(fd, bytes, Math.min(bytes.length, PIPE_ATOMIC)) : 0;
    default:
      return how satisfies never;
  }
}

/** Also true where a write would fail at once. */
function isWritable(fd: number): boolean {
  const query = new Int32Array([fd, c.EPOLLOUT]); // struct pollfd; POLLOUT has the number of EPOLLOUT
  return libc.poll(new Uint8Array(query.buffer), 1, 0) > 0;
}

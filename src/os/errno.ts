/** errno values (`docs/spec/inpod-dns.md` C3): numbers, names, and the text the log shows. */

export const EPERM = 1, ENOENT = 2, EINTR = 4, EAGAIN = 11, ENOMEM = 12, EACCES = 13, EINVAL = 22, ENFILE = 23;
export const EMFILE = 24, EPIPE = 32, EPROTO = 71, EMSGSIZE = 90, ENOPROTOOPT = 92, EOPNOTSUPP = 95;
export const EADDRINUSE = 98,
  EADDRNOTAVAIL = 99,
  ENETDOWN = 100,
  ENETUNREACH = 101,
  ECONNABORTED = 103,
  ECONNRESET = 104,
  ENOBUFS = 105,
  ENOTCONN = 107;
export const ETIMEDOUT = 110, ECONNREFUSED = 111, EHOSTDOWN = 112, EHOSTUNREACH = 113, EINPROGRESS = 115, ENONET = 64;

/** Errors because the process or the system has no descriptor or no memory left. */
export const OUT_OF_RESOURCES: readonly number[] = [EMFILE, ENFILE, ENOBUFS, ENOMEM];

const table: Record<number, readonly [name: string, text: string]> = {
  1: ["EPERM", "Operation not permitted"],
  2: ["ENOENT", "No such file or directory"],
  4: ["EINTR", "Interrupted system call"],
  9: ["EBADF", "Bad file descriptor"],
  11: ["EAGAIN", "Resource temporarily unavailable"],
  12: ["ENOMEM", "Cannot allocate memory"],
  13: ["EACCES", "Permission denied"],
  16: ["EBUSY", "Device or resource busy"],
  17: ["EEXIST", "File exists"],
  19: ["ENODEV", "No such device"],
  20: ["ENOTDIR", "Not a directory"],
  21: ["EISDIR", "Is a directory"],
  22: ["EINVAL", "Invalid argument"],
  23: ["ENFILE", "Too many open files in system"],
  24: ["EMFILE", "Too many open files"],
  28: ["ENOSPC", "No space left on device"],
  30: ["EROFS", "Read-only file system"],
  32: ["EPIPE", "Broken pipe"],
  36: ["ENAMETOOLONG", "File name too long"],
  40: ["ELOOP", "Too many levels of symbolic links"],
  64: ["ENONET", "Machine is not on the network"],
  71: ["EPROTO", "Protocol error"],
  88: ["ENOTSOCK", "Socket operation on non-socket"],
  89: ["EDESTADDRREQ", "Destination address required"],
  90: ["EMSGSIZE", "Message too long"],
  91: ["EPROTOTYPE", "Protocol wrong type for socket"],
  92: ["ENOPROTOOPT", "Protocol not available"],
  93: ["EPROTONOSUPPORT", "Protocol not supported"],
  95: ["EOPNOTSUPP", "Operation not supported"],
  97: ["EAFNOSUPPORT", "Address family not supported by protocol"],
  98: ["EADDRINUSE", "Address already in use"],
  99: ["EADDRNOTAVAIL", "Cannot assign requested address"],
  100: ["ENETDOWN", "Network is down"],
  101: ["ENETUNREACH", "Network is unreachable"],
  103: ["ECONNABORTED", "Software caused connection abort"],
  104: ["ECONNRESET", "Connection reset by peer"],
  105: ["ENOBUFS", "No buffer space available"],
  106: ["EISCONN", "Transport endpoint is already connected"],
  107: ["ENOTCONN", "Transport endpoint is not connected"],
  110: ["ETIMEDOUT", "Connection timed out"],
  111: ["ECONNREFUSED", "Connection refused"],
  112: ["EHOSTDOWN", "Host is down"],
  113: ["EHOSTUNREACH", "No route to host"],
  115: ["EINPROGRESS", "Operation now in progress"],
};

/** The name of an errno: `ECONNRESET`; `E250` for a number that is not in the table. */
export function errnoName(number: number): string {
  return table[number]?.[0] ?? `E${number}`;
}

/** The text of an errno for the log, in the form of other programs: `Connection reset by peer (os error 104)`. */
export function errnoText(number: number): string {
  return `${table[number]?.[1] ?? "Unknown error"} (os error ${number})`;
}

/** A system call failed. `code` is the name of the errno. */
export class SystemError extends Error {
  override readonly name = "SystemError";
  readonly code: string;
  /** The errno. */
  readonly number: number;

  /** `call`: what failed, for the message. */
  constructor(call: string, number: number) {
    super(`${call}: ${errnoText(number)}`);
    this.number = number;
    this.code = errnoName(number);
  }
}

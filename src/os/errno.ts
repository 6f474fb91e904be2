/** errno values (`docs/spec/inpod-dns.md` C3): numbers, names, and the text the log shows. */

export const EPERM = 1, ENOENT = 2, EINTR = 4, EAGAIN = 11, EACCES = 13, EINVAL = 22, ENFILE = 23, EMFILE = 24;
export const EPIPE = 32, ENOBUFS = 105, ENOMEM = 12, ECONNABORTED = 103, ECONNRESET = 104, ENOTCONN = 107;
export const ETIMEDOUT = 110, ECONNREFUSED = 111, EINPROGRESS = 115;

const table: Record<number, readonly [name: string, text: string]> = {
  1: ["EPERM", "Operation not permitted"],
  2: ["ENOENT", "No such file or directory"],
  4: ["EINTR", "Interrupted system call"],
  9: ["EBADF", "Bad file descriptor"],
  11: ["EAGAIN", "Resource temporarily unavailable"],
  12: ["ENOMEM", "Cannot allocate memory"],
  13: ["EACCES", "Permission denied"],
  17: ["EEXIST", "File exists"],
  19: ["ENODEV", "No such device"],
  22: ["EINVAL", "Invalid argument"],
  23: ["ENFILE", "Too many open files in system"],
  24: ["EMFILE", "Too many open files"],
  32: ["EPIPE", "Broken pipe"],
  88: ["ENOTSOCK", "Socket operation on non-socket"],
  90: ["EMSGSIZE", "Message too long"],
  92: ["ENOPROTOOPT", "Protocol not available"],
  93: ["EPROTONOSUPPORT", "Protocol not supported"],
  95: ["EOPNOTSUPP", "Operation not supported"],
  97: ["EAFNOSUPPORT", "Address family not supported by protocol"],
  98: ["EADDRINUSE", "Address already in use"],
  99: ["EADDRNOTAVAIL", "Cannot assign requested address"],
  101: ["ENETUNREACH", "Network is unreachable"],
  103: ["ECONNABORTED", "Software caused connection abort"],
  104: ["ECONNRESET", "Connection reset by peer"],
  105: ["ENOBUFS", "No buffer space available"],
  107: ["ENOTCONN", "Transport endpoint is not connected"],
  110: ["ETIMEDOUT", "Connection timed out"],
  111: ["ECONNREFUSED", "Connection refused"],
  113: ["EHOSTUNREACH", "No route to host"],
  115: ["EINPROGRESS", "Operation now in progress"],
};

/** `ECONNRESET`; `E250` for a number that is not in the table. */
export function errnoName(number: number): string {
  return table[number]?.[0] ?? `E${number}`;
}

/** `Connection reset by peer (os error 104)`, as operators know it. */
export function errnoText(number: number): string {
  return `${table[number]?.[1] ?? "Unknown error"} (os error ${number})`;
}

/** A system call failed where nothing can be done about it here. */
export class SystemError extends Error {
  override readonly name = "SystemError";
  readonly code: string;
  constructor(call: string, readonly number: number) {
    super(`${call}: ${errnoText(number)}`);
    this.code = errnoName(number);
  }
}

/**
 * Reads and writes files through libc that the runtime would not allow: for files of `/proc` it requires all permissions
 * (`--allow-all`), and the proxy is started with fewer (`docs/security.md`, Permissions).
 */
import { O_CLOEXEC, O_RDONLY, O_RDWR, O_WRONLY } from "./constants.ts";
import { SystemError } from "./errno.ts";
import { cString, errno, LIBC, libc } from "./libc.ts";
import { openRarely } from "./rare_functions.ts";
import { OwnedDescriptor } from "./owned_descriptor.ts";

const symbols = openRarely(LIBC, {
  readlink: { parameters: ["buffer", "buffer", "u32"], result: "i32" },
  getdents64: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
});

const AT_FDCWD = -100, AT_EMPTY_PATH = 0x1000;
const STATX_INO = 0x100;
/** `struct statx`, the same on every architecture: offsets of its fields, and its size. */
const STATX = { inode: 32, deviceMajor: 136, deviceMinor: 140, size: 256 };
/** `struct linux_dirent64`: offsets of an entry's length and name. */
const ENTRY = { length: 16, name: 19 };
const CHUNK = 65_536;
const DOT = 0x2e;

/** Returns the text of a file, cut off after `most` bytes or a few more. Throws {@link SystemError}. */
export function readSystemFile(path: string, most = Infinity): string {
  using file = open(path);
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(CHUNK);
  for (let text = "", length = 0;;) {
    const count = libc.read(file.fd, chunk, CHUNK);
    if (count < 0) throw new SystemError(`read ${path}`, errno());
    length += count;
    if (count === 0 || length >= most) return text + decoder.decode(chunk.subarray(0, count));
    text += decoder.decode(chunk.subarray(0, count), { stream: true });
  }
}

/** Returns the target of a symbolic link. Throws {@link SystemError}. */
export function readSystemLink(path: string): string {
  const text = new Uint8Array(4096);
  const length = symbols.readlink(cString(path), text, text.length);
  if (length < 0) throw new SystemError(`readlink ${path}`, errno());
  return new TextDecoder().decode(text.subarray(0, length));
}

/** Writes `text` to a file that exists, such as a control of the kernel. Throws {@link SystemError}. */
export function writeSystemFile(path: string, text: string): void {
  using file = open(path, O_WRONLY);
  const bytes = new TextEncoder().encode(text);
  if (libc.write(file.fd, bytes, bytes.length) !== bytes.length) throw new SystemError(`write ${path}`, errno());
}

/** Returns how many entries a folder has now. Throws {@link SystemError}. */
export function countSystemFolder(path: string): number {
  let count = 0;
  forEachEntry(path, () => count++);
  return count;
}

/** Returns the names of a folder's entries. Throws {@link SystemError}. */
export function readSystemFolder(path: string): string[] {
  const names: string[] = [];
  forEachEntry(path, (bytes, at) => {
    names.push(new TextDecoder().decode(bytes.subarray(at, bytes.indexOf(0, at))));
  });
  return names;
}

/** `entry` gets a block of entries and the offset of one entry's name in it. */
function forEachEntry(path: string, entry: (bytes: Uint8Array, at: number) => void): void {
  using folder = open(path);
  const chunk = new Uint8Array(CHUNK);
  const view = new DataView(chunk.buffer);
  for (;;) {
    const length = symbols.getdents64(folder.fd, chunk, CHUNK);
    if (length < 0) throw new SystemError(`getdents64 ${path}`, errno());
    if (length === 0) return;
    for (let at = 0; at < length; at += view.getUint16(at + ENTRY.length, true)) {
      if (!isDots(chunk, at + ENTRY.name)) entry(chunk, at + ENTRY.name);
    }
  }
}

/** Device and inode of a path or of an open descriptor: equal texts mean the same file. Throws {@link SystemError}. */
export function fileIdentity(file: string | number): string {
  const status = new Uint8Array(STATX.size);
  const [folder, path, flags] = typeof file === "number" ? [file, "", AT_EMPTY_PATH] : [AT_FDCWD, file, 0];
  if (symbols.statx(folder, cString(path), flags, STATX_INO, status) !== 0) throw new SystemError("statx", errno());
  const view = new DataView(status.buffer);
  // Combined as the kernel does: a minor number has 20 bits.
  const device = view.getUint32(STATX.deviceMajor, true) * 2 ** 20 + view.getUint32(STATX.deviceMinor, true);
  return `${device}:${view.getBigUint64(STATX.inode, true)}`;
}

/** Whether this process may open the file, or device, for reading and writing. */
export function canOpenSystemFile(path: string): boolean {
  try {
    open(path, O_RDWR)[Symbol.dispose]();
    return true;
  } catch {
    return false;
  }
}

/** Whether a file exists, also where the runtime would not allow access. */
export function systemFileExists(path: string): boolean {
  try {
    fileIdentity(path);
    return true;
  } catch {
    return false;
  }
}

function open(path: string, access = O_RDONLY): OwnedDescriptor {
  const descriptor = libc.open(cString(path), access | O_CLOEXEC, 0);
  if (descriptor < 0) throw new SystemError(`open ${path}`, errno());
  return new OwnedDescriptor(descriptor);
}

/** `.` and `..`, which every folder has. */
function isDots(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === DOT && (bytes[at + 1] === 0 || (bytes[at + 1] === DOT && bytes[at + 2] === 0));
}

/** Messages over Unix sockets with descriptors attached (`docs/spec/inpod-dns.md` A1.3, C1). */
import { MSG_CMSG_CLOEXEC, MSG_CTRUNC, MSG_NOSIGNAL, MSG_TRUNC, SCM_RIGHTS, SOL_SOCKET } from "./constants.ts";
import { libc } from "./libc_sockets.ts";
import { pointAt } from "./pointers.ts";
import { OwnedDescriptor } from "./owned_descriptor.ts";

const HEADER = 16;
const INT = 4;
/** SCM_MAX_FD: the kernel refuses more. */
const MAX_DESCRIPTORS = 253;

/** A received message, with all its descriptors, also when it is truncated. */
interface UnixMessage {
  /** Bytes received. */
  readonly length: number;
  /** Bytes or descriptors were cut off. */
  readonly truncated: boolean;
  readonly descriptors: readonly OwnedDescriptor[];
}

/** `struct msghdr` for one buffer and one control buffer. */
class MessageHeader {
  readonly bytes = new Uint8Array(56);
  readonly #view = new DataView(this.bytes.buffer);
  readonly #vector = new BigUint64Array(2);
  readonly control: Uint8Array<ArrayBuffer>;

  constructor(controlLength: number) {
    this.control = new Uint8Array(new ArrayBuffer(controlLength));
  }

  /** Sets the buffer of the payload. `controlLength`: how many bytes of `control` to use; 0 for none. */
  setPayload(payload: Uint8Array, controlLength: number): void {
    pointAt(this.#vector, 0, payload);
    this.#vector[1] = BigInt(payload.length);
    pointAt(this.bytes, 16, this.#vector);
    this.#view.setBigUint64(24, 1n, true);
    if (controlLength === 0) this.#view.setBigUint64(32, 0n, true);
    else pointAt(this.bytes, 32, this.control);
    this.#view.setBigUint64(40, BigInt(controlLength), true);
    this.#view.setInt32(48, 0, true);
  }

  get controlLength(): number {
    return Number(this.#view.getBigUint64(40, true));
  }

  get flags(): number {
    return this.#view.getInt32(48, true);
  }
}

/** Receives messages with up to `descriptors` descriptors each; the kernel rounds up to an even number. */
export class UnixMessageReceiver {
  readonly #header: MessageHeader;

  constructor(descriptors: number) {
    this.#header = new MessageHeader(controlSpace(descriptors));
  }

  /** Receives one message. Null: recvmsg(2) failed, `errno()` says why. Length 0: the end, or an empty packet. */
  receive(fd: number, into: Uint8Array): UnixMessage | null {
    const header = this.#header;
    header.setPayload(into, header.control.length);
    const length = libc.recvmsg(fd, header.bytes, MSG_CMSG_CLOEXEC);
    if (length < 0) return null;
    const numbers = descriptorsIn(header.control.subarray(0, Math.min(header.controlLength, header.control.length)));
    return {
      length,
      truncated: (header.flags & (MSG_TRUNC | MSG_CTRUNC)) !== 0,
      descriptors: numbers.map((number) => new OwnedDescriptor(number)),
    };
  }
}

/** Numbers of all descriptors in the control messages of a received message. Never throws. */
export function descriptorsIn(control: Uint8Array): number[] {
  const found: number[] = [];
  const view = new DataView(control.buffer, control.byteOffset, control.length);
  for (let at = 0; at + HEADER <= control.length;) {
    const length = Number(view.getBigUint64(at, true));
    if (length < HEADER) break;
    const end = Math.min(at + length, control.length);
    if (view.getInt32(at + 8, true) === SOL_SOCKET && view.getInt32(at + 12, true) === SCM_RIGHTS) {
      for (let i = at + HEADER; i + INT <= end; i += INT) found.push(view.getInt32(i, true));
    }
    at += align(length);
  }
  return found;
}

/** Sends one message; the caller still owns the descriptors. Below zero: it failed, `errno()` says why. */
export function sendMessage(fd: number, bytes: Uint8Array, descriptors: readonly number[]): number {
  if (descriptors.length > MAX_DESCRIPTORS) {
    throw new RangeError(`Cannot send ${descriptors.length} descriptors: ${MAX_DESCRIPTORS} is the most`);
  }
  const header = new MessageHeader(controlSpace(descriptors.length));
  const used = descriptors.length === 0 ? 0 : HEADER + INT * descriptors.length;
  if (used > 0) {
    const view = new DataView(header.control.buffer);
    view.setBigUint64(0, BigInt(used), true);
    view.setInt32(8, SOL_SOCKET, true);
    view.setInt32(12, SCM_RIGHTS, true);
    descriptors.forEach((descriptor, i) => view.setInt32(HEADER + INT * i, descriptor, true));
  }
  header.setPayload(bytes, used);
  return libc.sendmsg(fd, header.bytes, MSG_NOSIGNAL);
}

/** CMSG_SPACE */
function controlSpace(descriptors: number): number {
  return descriptors === 0 ? 0 : align(HEADER + INT * descriptors);
}

function align(length: number): number {
  return Math.ceil(length / 8) * 8;
}

/** Addresses of network interfaces, as getifaddrs(3) lists them for the namespace that this thread is in. */
import { AF_INET, AF_INET6 } from "./constants.ts";
import { errno, LIBC } from "./libc.ts";
import { openRarely } from "./rare_functions.ts";
import { SystemError } from "./errno.ts";

const symbols = openRarely(LIBC, {
  getifaddrs: { parameters: ["buffer"], result: "i32" },
  freeifaddrs: { parameters: ["pointer"], result: "void" },
});

/** Offsets in `struct ifaddrs` where pointers have 64 bits. */
const NEXT = 0, ADDRESS = 24;
const LENGTHS: Readonly<Record<number, number>> = { [AF_INET]: 16, [AF_INET6]: 28 };
/** Entries behind these are ignored: a pod has a few addresses. */
const MOST = 1024;

/** Returns each address as `struct sockaddr_in` or `sockaddr_in6`. Throws {@link SystemError}. */
export function interfaceAddresses(): Uint8Array<ArrayBuffer>[] {
  const cell = new BigUint64Array(1);
  if (symbols.getifaddrs(new Uint8Array(cell.buffer)) !== 0) throw new SystemError("getifaddrs", errno());
  const first = Deno.UnsafePointer.create(cell[0]!);
  try {
    const found: Uint8Array<ArrayBuffer>[] = [];
    let entry = first;
    for (let count = 0; entry !== null && count < MOST; count++) {
      const view = new Deno.UnsafePointerView(entry);
      const address = view.getPointer(ADDRESS);
      if (address !== null) {
        const bytes = new Deno.UnsafePointerView(address);
        const length = LENGTHS[bytes.getUint16()];
        if (length !== undefined) found.push(new Uint8Array(bytes.getArrayBuffer(length).slice(0)));
      }
      entry = view.getPointer(NEXT);
    }
    return found;
  } finally {
    symbols.freeifaddrs(first);
  }
}

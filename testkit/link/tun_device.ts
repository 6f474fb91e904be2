/** TUN devices (`Documentation/networking/tuntap.rst` of the kernel): packets of a namespace are read from a file. */
import { O_CLOEXEC } from "../../src/os/constants.ts";
import { SystemError } from "../../src/os/errno.ts";
import { cString, errno, libc } from "../../src/os/libc.ts";
import { insideNamespace, openNamespace } from "../../src/os/namespace.ts";

const { ioctl } = Deno.dlopen("libc.so.6", {
  ioctl: { parameters: ["i32", "u32", "buffer"], result: "i32" },
}).symbols;

const O_RDWR = 2, O_NONBLOCK = 0x800;
const TUNSETIFF = 0x400454ca;
const IFF_TUN = 1, IFF_NO_PI = 0x1000;
/** struct ifreq of netdevice(7): the name, then the flags. */
const IFREQ_BYTES = 40, IFREQ_FLAGS = 16;

/**
 * Creates a device in the network namespace at `path` and returns its descriptor: each read returns one IP packet that
 * the namespace sends, each write is one that it receives. Without an offload header the kernel segments TCP data to
 * the MTU. Reads do not block. The device is removed when the descriptor is closed. Moves the calling thread between
 * namespaces. Throws {@link SystemError}.
 */
export function openTun(path: string, name: string): number {
  const namespace = openNamespace(path);
  try {
    return insideNamespace(namespace, () => {
      const descriptor = libc.open(cString("/dev/net/tun"), O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
      if (descriptor < 0) throw new SystemError("open /dev/net/tun", errno());
      const request = new Uint8Array(IFREQ_BYTES);
      request.set(new TextEncoder().encode(name));
      new DataView(request.buffer).setUint16(IFREQ_FLAGS, IFF_TUN | IFF_NO_PI, true);
      if (ioctl(descriptor, TUNSETIFF, request) === 0) return descriptor;
      const error = new SystemError(`make TUN device ${name}`, errno());
      libc.close(descriptor);
      throw error;
    });
  } finally {
    libc.close(namespace);
  }
}

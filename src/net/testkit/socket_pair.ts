/** Two connected TCP sockets of the loopback interface, as descriptors. */
import * as c from "../../os/constants.ts";
import { libc } from "../../os/libc_sockets.ts";
import { accept, openSocket, setOption, socketName } from "../../os/socket.ts";
import { LOOPBACK_V4 } from "../address.ts";
import { encodeSockaddr } from "../sockaddr.ts";

const SO_SNDBUF = 7, SO_RCVBUF = 8;

/** `near`: has small buffers where `isSmall`, so that writes are not taken whole. `far`: the peer of the test. */
export class SocketPair implements Disposable {
  readonly near: number;
  readonly far: number;
  readonly #closed = new Set<number>();

  constructor(isSmall = false) {
    const listener = openSocket(c.AF_INET, c.SOCK_STREAM), name = encodeSockaddr({ ip: LOOPBACK_V4, port: 0 });
    if (isSmall) setOption(listener, c.SOL_SOCKET, SO_RCVBUF, 4096);
    if (libc.bind(listener, name, name.length) < 0 || libc.listen(listener, 1) < 0) throw new Error("cannot listen");
    const to = socketName(listener)!.slice();
    this.near = openSocket(c.AF_INET, c.SOCK_STREAM);
    if (isSmall) setOption(this.near, c.SOL_SOCKET, SO_SNDBUF, 4096);
    libc.connect(this.near, to, to.length);
    let far = -1;
    // A connection of the loopback interface is made within the call, or soon after it.
    while (far < 0) far = accept(listener, new Uint8Array(128));
    this.far = far;
    setOption(far, c.SOL_TCP, c.TCP_NODELAY, 1);
    libc.close(listener);
  }

  /** The peer sends bytes. */
  send(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const count = libc.write(this.far, bytes.subarray(at) as Uint8Array<ArrayBuffer>, bytes.length - at);
      if (count < 0) throw new Error("the socket takes no more");
      at += count;
    }
  }

  /** Returns what the peer has received, and null once it has read the end. */
  received(): Uint8Array | null {
    const parts: number[] = [], into = new Uint8Array(65_536);
    for (;;) {
      const count = libc.read(this.far, into, into.length);
      if (count === 0 && parts.length === 0) return null;
      if (count <= 0) return Uint8Array.from(parts);
      for (const byte of into.subarray(0, count)) parts.push(byte);
    }
  }

  close(fd: number): void {
    if (!this.#closed.has(fd)) libc.close(fd);
    this.#closed.add(fd);
  }

  [Symbol.dispose](): void {
    this.close(this.near);
    this.close(this.far);
  }
}

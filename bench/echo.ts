/**
 * Sends back what it receives: `echo.ts HOST PORT`. Prints `ready` and its port when it listens. Port 0: the
 * kernel chooses one. For small messages, not for bulk.
 */
import { accept, close, listen, portOf, Readable, receive, send } from "./libc_sockets.ts";

const [host = "", port] = Deno.args;
const listener = listen(host, Number(port));
const readable = new Readable();
const buffer = new Uint8Array(65536);

readable.add(listener);
console.log(`ready ${portOf(listener)}`);
for (;;) {
  readable.wait(-1, (fd) => {
    if (fd === listener) {
      const connection = accept(listener);
      if (connection >= 0) readable.add(connection);
      return;
    }
    const length = receive(fd, buffer);
    // A peer that does not read its echoes is disconnected.
    if (length <= 0 || send(fd, buffer, length) < length) close(fd);
  });
}

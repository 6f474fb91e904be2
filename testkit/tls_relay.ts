/** A relay from plain TCP to an inbound port: it adds TLS with a client certificate and ALPN `h2`. */
import { type AddressInfo, createServer, type Socket } from "node:net";
import { secureSocket, type Site } from "./attacks/peer.ts";

/** A running relay. */
interface TlsRelay extends AsyncDisposable {
  /** The plain TCP port on 127.0.0.1. */
  readonly port: number;
}

/** Starts a relay to the port and with the certificate of `site`. */
export function startTlsRelay(site: Site): Promise<TlsRelay> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: false, noDelay: true }, (plain) => {
    const secure = secureSocket(site);
    for (const [from, to] of [[plain, secure], [secure, plain]] as const) {
      open.add(from);
      from.on("data", (chunk: Uint8Array) => to.write(chunk));
      from.on("end", () => to.end());
      from.on("error", () => to.destroy());
      from.on("close", () => {
        open.delete(from);
        to.destroy();
      });
    }
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        [Symbol.asyncDispose]: () => {
          for (const socket of open) socket.destroy();
          return new Promise((closed) => server.close(() => closed()));
        },
      });
    });
  });
}

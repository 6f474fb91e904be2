/** Options of the sockets that are made for pods (`docs/spec/inpod-dns.md` A2.2, A2.3), and of their HBONE connections. */
import type { Config } from "../config/config.ts";
import type { ServerHttp2 } from "../hbone/server_connection.ts";
import type { Millis } from "../net/clock.ts";
import type { DialOptions, SocketOptions } from "../net/network.ts";

/** After this time a dial that got no answer begins anew. Longer than any round trip. */
const ATTEMPT_TIMEOUT: Millis = 5000;
/** For applications of the pod: there is no network on the way to them. */
const APPLICATION_TIMEOUT: Millis = 10_000;

type Mark = Pick<SocketOptions, "mark">;

/** `PACKET_MARK`, by which redirection excepts our own traffic: on dialled sockets and on sockets to nameservers. */
export function dialMark({ sockets: { mark } }: Config): Mark {
  return mark === null ? {} : { mark };
}

/** The mark of listeners in pods' namespaces, which accepted sockets inherit. */
export function listenMark(config: Config): Mark {
  return config.mode === "shared" ? dialMark(config) : {};
}

/** Keepalive and `TCP_USER_TIMEOUT` of TCP connections. */
export function keepaliveOptions({ sockets: { keepalive, userTimeout } }: Config): SocketOptions {
  return {
    ...(keepalive.enabled
      ? {
        keepalive: {
          idleSeconds: Math.max(1, Math.round(keepalive.time / 1000)),
          intervalSeconds: Math.max(1, Math.round(keepalive.interval / 1000)),
          probes: keepalive.retries,
        },
      }
      : {}),
    ...(userTimeout === null ? {} : { userTimeout }),
  };
}

/** Options of the dials of a pod's proxy, with these further `options` (`docs/spec/dataplane.md` 1.3). */
export function dialOptions(
  config: Config,
  options: SocketOptions,
): { readonly dial: DialOptions; readonly applicationDial: DialOptions } {
  const common = { ...keepaliveOptions(config), ...options };
  return {
    dial: { ...common, timeout: config.sockets.connectTimeout, attemptTimeout: ATTEMPT_TIMEOUT },
    applicationDial: { ...common, timeout: APPLICATION_TIMEOUT },
  };
}

/** A few windows whose bytes are not read must not fill the memory that all connections share. */
export function http2Options({ http2 }: Config): ServerHttp2 {
  const { streamWindow, maxFrameSize, heldBytesMax } = http2;
  return {
    streamWindow,
    maxFrameSize,
    connectionWindow: Math.min(http2.connectionWindow, Math.floor(heldBytesMax / 4)),
  };
}

/** Options of the sockets that are made for pods (`docs/spec/inpod-dns.md` A2.2, A2.3). */
import type { Config } from "../config/config.ts";
import type { SocketOptions } from "../net/network.ts";

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

/** Options of the sockets that are made for pods (`docs/spec/inpod-dns.md` A2.2, A2.3), and of their HBONE connections. */
import type { Config } from "../config/config.ts";
import { ownPorts, serverPort } from "../config/own_ports.ts";
import type { ServerHttp2 } from "../hbone/server_connection.ts";
import type { Millis } from "../net/clock.ts";
import type { DialOptions, SocketOptions } from "../net/network.ts";
import { readPortsBelow, SourcePorts } from "../net/source_ports.ts";

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

/**
 * Returns where the ports of dials with a client's address come from (`docs/spec/dataplane.md` 1.3). `namespace`: the
 * descriptor of the pod's network namespace; undefined: this process's own. Null: the kernel chooses them, or such dials
 * are switched off. `read` finds the ports of a namespace without the given ones.
 */
export function applicationPorts(
  config: Config,
  namespace: number | undefined,
  random: () => number,
  read = readPortsBelow,
): SourcePorts | null {
  if (config.sockets.originalSource === false) return null;
  const range = read(namespace, [...ownPorts(config), serverPort(config.listeners.dns)]);
  return range === null ? null : new SourcePorts(range, random);
}

/**
 * Options of the dials of a pod's proxy, with these further `options` (`docs/spec/dataplane.md` 1.3). `sourcePorts`: for
 * dials of applications.
 */
export function dialOptions(
  config: Config,
  options: SocketOptions,
  sourcePorts: SourcePorts | null = null,
): { readonly dial: DialOptions; readonly applicationDial: DialOptions } {
  const common = { ...keepaliveOptions(config), ...options };
  return {
    dial: { ...common, timeout: config.sockets.connectTimeout, attemptTimeout: ATTEMPT_TIMEOUT },
    applicationDial: { ...common, timeout: APPLICATION_TIMEOUT, sourcePorts },
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

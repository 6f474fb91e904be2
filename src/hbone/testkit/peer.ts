/** For tests only: HBONE peers that the test controls, and peers that send any bytes through TLS. */
import { H2Connection } from "../../h2/connection.ts";
import { defaultOptions } from "../../h2/limits.ts";
import type { H2Failure, H2Options, HeaderList } from "../../h2/seam.ts";
import { EndpointLog, StreamLog } from "../../h2/testkit/pair.ts";
import type { SocketAddress } from "../../net/address.ts";
import type { Duplex, Ending } from "../../net/duplex.ts";
import type { Listener } from "../../net/network.ts";
import type { TlsContext } from "../../net/tls_context.ts";
import { type HboneLoop, makeHboneLoop } from "../hbone_loop.ts";
import type { HostNetwork } from "./network.ts";
import { TestSocket } from "./socket.ts";
import { Transport } from "../transport.ts";

const TIMEOUT = 10_000;
/** SO_MARK of a proxy's own sockets: they are not redirected. */
const MARK = 1337;

/** One HTTP/2 connection of either role, with a record of all calls. */
export class RawPeer extends EndpointLog {
  readonly h2: H2Connection;
  readonly transport: Transport;

  constructor(loop: HboneLoop, readonly duplex: Duplex, role: "client" | "server", options: Partial<H2Options> = {}) {
    super();
    const now = loop.network.now();
    this.h2 = new H2Connection({ ...defaultOptions(role), ...options }, this, loop.h2, now);
    this.transport = new Transport(loop, duplex, this.h2);
    this.transport.start();
  }

  override onOutput(): void {
    super.onOutput();
    this.transport?.flushSoon();
  }

  override onEnd(failure: H2Failure): void {
    super.onEnd(failure);
    this.transport?.connectionEnded();
  }

  /** Sends a request of a client. */
  open(headers: HeaderList, log = new StreamLog()): StreamLog {
    const stream = this.h2.open(headers, log);
    if (stream === null) throw new Error("The peer cannot open a stream");
    log.stream = stream;
    return log;
  }

  /** Closes the socket without GOAWAY; with `reset` like a process that was killed. */
  close(reset = false): void {
    this.h2.transportEnded("closed by the test");
    this.transport.close(reset);
  }
}

/** A listening HBONE server. */
export interface RawServer {
  readonly peers: RawPeer[];
  /** All connections, also those that did not finish their handshake. */
  readonly accepted: Duplex[];
  readonly listener: Listener;
}

/** Starts an HBONE server. `prepare` sets up each connection. */
export function rawServer(
  host: HostNetwork,
  address: SocketAddress,
  context: TlsContext,
  options: Partial<H2Options> = {},
  prepare: (peer: RawPeer) => void = () => {},
): RawServer {
  const loop = makeHboneLoop(host);
  const peers: RawPeer[] = [];
  const accepted: Duplex[] = [];
  const listener = host.listen({ address }, ({ duplex }) => {
    accepted.push(duplex);
    host.secure(duplex, context, "server", TIMEOUT, {
      onSecure: (secured) => {
        const peer = new RawPeer(loop, secured, "server", options);
        prepare(peer);
        peers.push(peer);
      },
      onSecureFailure: () => {},
    });
  });
  return { peers, accepted, listener };
}

/** A TLS stream to `to`, or why it failed. Runs the network until that is decided. */
function dialTls(host: HostNetwork, to: SocketAddress, context: TlsContext): Duplex | Ending {
  const outcome: { value: Duplex | Ending | null } = { value: null };
  host.dial(to, { mark: MARK }, {
    onConnect: (plain) => {
      host.secure(plain, context, "client", TIMEOUT, {
        onSecure: (duplex) => outcome.value = duplex,
        onSecureFailure: (ending) => outcome.value = ending,
      });
    },
    onDialFailure: (ending) => outcome.value = ending,
  });
  host.memory.runUntilIdle();
  if (outcome.value === null) host.memory.advance(TIMEOUT);
  if (outcome.value === null) throw new Error("The dial did not end");
  return outcome.value;
}

/** An HTTP/2 client over TLS. Throws where TLS fails. */
export function rawClient(
  host: HostNetwork,
  to: SocketAddress,
  context: TlsContext,
  options: Partial<H2Options> = {},
): RawPeer {
  const peer = new RawPeer(makeHboneLoop(host), secured(dialTls(host, to, context)), "client", options);
  host.memory.runUntilIdle();
  return peer;
}

/** A peer that sends any bytes over TLS. Throws where TLS fails. */
export function rawBytes(host: HostNetwork, to: SocketAddress, context: TlsContext): TestSocket {
  return new TestSocket(host, secured(dialTls(host, to, context)));
}

function secured(outcome: Duplex | Ending): Duplex {
  if ("read" in outcome) return outcome;
  throw new Error(`TLS failed: ${outcome.message}`);
}

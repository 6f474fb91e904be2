/** The sockets of one DNS proxy: UDP and TCP on each address, all on one port. */
import type { SocketAddress } from "../net/address.ts";
import type { Duplex } from "../net/duplex.ts";
import { type DatagramSocket, type Listener, ListenError, type Network, type SocketOptions } from "../net/network.ts";
import type { ShedReport } from "../net/shed_report.ts";
import type { Asker, QueryService } from "./query_service.ts";
import { TcpConnection } from "./tcp_connection.ts";

/** How and where. */
export interface DnsListenAt {
  readonly addresses: readonly SocketAddress[];
  readonly sockets: Pick<SocketOptions, "mark" | "namespace">;
  readonly reusePort: boolean;
}

/** Connections of the pods of an isolate that may still come. */
export interface ConnectionBudget {
  left: number;
}

/** Of one pod; a TCP connection waits for 5 s at most before it has to say something. */
const MAX_CONNECTIONS = 256;
const BACKLOG = 128;
/** With port 0, the port that UDP got may be taken for TCP. */
const PORT_TRIES = 16;

export class DnsListeners {
  readonly #network: Network;
  readonly #service: QueryService;
  readonly #budget: ConnectionBudget;
  readonly #shed: ShedReport;
  readonly #sockets: (DatagramSocket | Listener)[] = [];
  readonly #connections = new Set<TcpConnection>();
  /** The one that is in use. */
  readonly port: number;

  /** Throws `ListenError`; nothing is left then. `shed` is told of connections that are too many. */
  constructor(network: Network, at: DnsListenAt, service: QueryService, budget: ConnectionBudget, shed: ShedReport) {
    this.#network = network;
    this.#service = service;
    this.#budget = budget;
    this.#shed = shed;
    this.port = this.#listen(at);
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Ends listeners and connections at once. */
  close(): void {
    for (const socket of this.#sockets) socket.close();
    this.#sockets.length = 0;
    for (const connection of this.#connections) connection.close();
  }

  #listen(at: DnsListenAt): number {
    for (let tries = 1;; tries++) {
      try {
        return this.#open(at);
      } catch (error) {
        this.close();
        const chance = at.addresses[0]?.port === 0 && error instanceof ListenError && error.code === "EADDRINUSE";
        if (!chance || tries === PORT_TRIES) throw error;
      }
    }
  }

  #open({ addresses, sockets, reusePort }: DnsListenAt): number {
    let port = addresses[0]!.port;
    for (const { ip } of addresses) {
      const socket: DatagramSocket = this.#network.udp({ ...sockets, address: { ip, port }, reusePort }, {
        onDatagram: (bytes, from) => void this.#service.serve(bytes, new UdpAsker(socket, from)),
      });
      this.#sockets.push(socket);
      port = socket.local.port;
      this.#sockets.push(
        this.#network.listen(
          { ...sockets, address: { ip, port }, reusePort, backlog: BACKLOG },
          ({ duplex }) => this.#accept(duplex),
        ),
      );
    }
    return port;
  }

  #accept(duplex: Duplex): void {
    if (this.#connections.size >= MAX_CONNECTIONS || this.#budget.left <= 0) {
      this.#shed.add(1, `${this.#connections.size} are open already`);
      return duplex.close(true);
    }
    const connection = new TcpConnection(this.#network, duplex, this.#service, (closed) => {
      this.#connections.delete(closed);
      this.#budget.left++;
    });
    this.#connections.add(connection);
    this.#budget.left--;
    connection.start();
  }
}

/** The sender of one datagram. */
class UdpAsker implements Asker {
  readonly protocol = "udp";
  readonly #socket: DatagramSocket;
  readonly address: SocketAddress;

  constructor(socket: DatagramSocket, address: SocketAddress) {
    this.#socket = socket;
    this.address = address;
  }

  answer(bytes: Uint8Array): void {
    this.#socket.send(bytes, this.address);
  }

  ignore(): void {}
}

/** The sockets of one DNS proxy: UDP and TCP on each address, all on the same port. */
import { LOOPBACK_V6, type SocketAddress } from "../net/address.ts";
import type { Duplex } from "../net/duplex.ts";
import {
  type DatagramSocket,
  type Listener,
  ListenError,
  type ListenerState,
  type Network,
  type SocketOptions,
} from "../net/network.ts";
import type { Rounds } from "../net/rounds.ts";
import type { ShedReport } from "../net/shed_report.ts";
import type { QueryService, Requester } from "./query_service.ts";
import { TcpConnection } from "./tcp_connection.ts";

/** Where and how to listen. */
interface DnsListenAt {
  readonly addresses: readonly SocketAddress[];
  readonly sockets: Pick<SocketOptions, "mark" | "namespace">;
  readonly reusePort: boolean;
  /** Isolates of this process that share the port. */
  readonly siblings: number;
  /** Called where `::1` cannot be bound, with the errno name. DNS is then served at the other address only. */
  readonly onNoIpv6: (code: string) => void;
}

/** What the TCP connections of all pods of an isolate share. */
export interface ConnectionBudget {
  /** Connections that may still be accepted. */
  left: number;
  /** Limits how many connections are read per turn. */
  readonly rounds: Rounds;
}

/** TCP connections of one pod. Each is closed when no message arrives for 5 s. */
const MAX_CONNECTIONS = 256;
const BACKLOG = 128;
/** Attempts with port 0: the port that the kernel chose for UDP may be in use for TCP. */
const PORT_TRIES = 16;

/** Listens until {@link retire} or {@link close}. */
export class DnsListeners {
  readonly #network: Network;
  readonly #service: QueryService;
  readonly #budget: ConnectionBudget;
  readonly #shed: ShedReport;
  readonly #sockets: (DatagramSocket | Listener)[] = [];
  readonly #connections = new Set<TcpConnection>();
  /** The port in use. */
  readonly port: number;
  /** Datagrams that are not answered yet. */
  #unanswered = 0;
  #onIdle: (() => void) | null = null;

  /** Throws `ListenError` and then leaves no socket open. `shed` reports connections that were refused. */
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

  /** Each socket, as the kernel has it. */
  inspect(): readonly ListenerState[] {
    return this.#sockets.map((socket) => socket.inspect());
  }

  /**
   * Accepts no new messages and connections, but those that the kernel has queued. Calls `done` when all are answered.
   * Where other isolates share the port, clients notice nothing. After {@link close} `done` is not called.
   */
  retire(done: () => void): void {
    // Counts this function itself, so that `done` is not called while it runs.
    let listening = 1;
    this.#onIdle = () => {
      if (listening > 0 || this.#unanswered > 0 || this.#connections.size > 0) return;
      this.#onIdle = null;
      done();
    };
    for (const socket of this.#sockets) {
      if ("send" in socket) {
        socket.retire();
        continue;
      }
      listening++;
      socket.retire(() => {
        listening--;
        this.#onIdle?.();
      });
    }
    for (const connection of [...this.#connections]) connection.finish();
    listening--;
    this.#onIdle();
  }

  /** Ends listeners and connections at once. */
  close(): void {
    this.#onIdle = null;
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
        const portTaken = at.addresses[0]?.port === 0 && error instanceof ListenError && error.code === "EADDRINUSE";
        if (!portTaken || tries === PORT_TRIES) throw error;
      }
    }
  }

  #open(at: DnsListenAt): number {
    let port = at.addresses[0]!.port;
    for (const { ip } of at.addresses) {
      try {
        port = this.#openAt(at, { ip, port });
      } catch (error) {
        if (ip !== LOOPBACK_V6 || at.addresses.length === 1 || !isMissing(error)) throw error;
        at.onNoIpv6(error.code);
      }
    }
    return port;
  }

  #openAt({ sockets, reusePort, siblings }: DnsListenAt, address: SocketAddress): number {
    const socket: DatagramSocket = this.#network.udp({ ...sockets, address, reusePort }, {
      onDatagram: (bytes, from) => this.#receive(socket, bytes, from),
    });
    this.#sockets.push(socket);
    const { port } = socket.local;
    this.#sockets.push(
      this.#network.listen(
        { ...sockets, address: { ip: address.ip, port }, reusePort, siblings, backlog: BACKLOG },
        ({ duplex }) => this.#accept(duplex),
      ),
    );
    return port;
  }

  #receive(socket: DatagramSocket, bytes: Uint8Array, from: SocketAddress): void {
    const requester = new UdpRequester(socket, from);
    if (this.#service.serve(bytes, requester) === null) return;
    this.#unanswered++;
    requester.onAnswered = () => {
      this.#unanswered--;
      this.#onIdle?.();
    };
  }

  #accept(duplex: Duplex): void {
    if (this.#connections.size >= MAX_CONNECTIONS || this.#budget.left <= 0) {
      this.#shed.add(1, `${this.#connections.size} are open already`);
      return duplex.close(true);
    }
    const connection = new TcpConnection(this.#network, this.#budget.rounds, duplex, this.#service, (closed) => {
      this.#connections.delete(closed);
      this.#budget.left++;
      this.#onIdle?.();
    });
    this.#connections.add(connection);
    this.#budget.left--;
    connection.start();
    // The connection was in the kernel's queue when the listeners retired.
    if (this.#onIdle !== null) connection.finish();
  }
}

/** Whether no interface has the address: the loopback is down or has no IPv6, or the kernel has no IPv6. */
function isMissing(error: unknown): error is ListenError {
  return error instanceof ListenError && (error.code === "EADDRNOTAVAIL" || error.code === "EAFNOSUPPORT");
}

/** The sender of one datagram. */
class UdpRequester implements Requester {
  readonly protocol = "udp";
  readonly #socket: DatagramSocket;
  readonly address: SocketAddress;
  onAnswered: (() => void) | null = null;

  constructor(socket: DatagramSocket, address: SocketAddress) {
    this.#socket = socket;
    this.address = address;
  }

  answer(bytes: Uint8Array): void {
    this.#socket.send(bytes, this.address);
    this.onAnswered?.();
  }

  ignore(): void {}
}

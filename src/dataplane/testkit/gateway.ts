/**
 * Two networks: a client's node is on "north"; on "south" a server's node is behind an east-west
 * gateway, which ends the outer tunnels and passes their bytes on.
 */
import { strict as assert } from "node:assert";
import { defaultOptions } from "../../h2/limits.ts";
import { ErrorCode, type HeaderList, type Stream } from "../../h2/seam.ts";
import { makeHboneLoop } from "../../hbone/hbone_loop.ts";
import { ServerConnection } from "../../hbone/server_connection.ts";
import { StreamLog } from "../../h2/testkit/pair.ts";
import { contextOf, spiffeId } from "../../hbone/testkit/identity.ts";
import type { HostNetwork } from "../../hbone/testkit/network.ts";
import type { TestSocket } from "../../hbone/testkit/socket.ts";
import { DEFAULT_SERVICE } from "../../mesh/model/defaults.ts";
import { type GatewayAddress, namespacedHostname, type Service, workloadUid } from "../../mesh/model/model.ts";
import { parseIp, type SocketAddress } from "../../net/address.ts";
import type { MemoryNetworkOptions } from "../../net/testkit/memory_network.ts";
import type { CopyMeter } from "../../proxy/copy.ts";
import { Tunnel } from "../../proxy/tunnel.ts";
import { at, echo, type NodeOptions, Testbed, type TestNode, workloadAt } from "./testbed.ts";

const UNMETERED: CopyMeter = { addReceived() {}, addSent() {} };

export const CLIENT = "10.0.0.1", SERVER = "10.1.0.2", GATEWAY = "10.1.0.9", VIP = "10.10.0.1";
export const SERVER_ID = "spiffe://cluster.local/ns/default/sa/echo";
const GATEWAY_ID = "spiffe://cluster.local/ns/default/sa/gateway";
export const HOSTNAME = "remote.default.svc.cluster.local";
export const AUTHORITY = `${HOSTNAME}:8080`;

/** An east-west gateway. */
class TestGateway {
  readonly host: HostNetwork;
  readonly requests: HeaderList[] = [];
  readonly connections = new Set<ServerConnection>();
  /** Outer tunnels that are open. */
  readonly tunnels = new Set<Tunnel>();
  /** Not null: it answers with this status and passes nothing on. */
  status: string | null = null;
  /** Its certificate, DER. */
  readonly leaf: Uint8Array;
  /** Where it passes bytes on to. */
  onward: SocketAddress = at(`${SERVER}:15008`);

  constructor(bed: Testbed, address: SocketAddress) {
    this.host = bed.host(GATEWAY);
    const loop = makeHboneLoop(this.host);
    const issued = bed.issuer.issue(spiffeId(GATEWAY_ID)), context = contextOf(issued);
    this.leaf = issued.chain[0]!;
    this.host.listen({ address }, ({ duplex }) => {
      this.host.secure(duplex, context, "server", 10_000, {
        onSecure: (secured) => {
          const connection: ServerConnection = new ServerConnection(
            loop,
            secured,
            spiffeId(GATEWAY_ID),
            defaultOptions("server"),
            {
              onRequest: (stream, headers) => this.#take(loop, stream, headers),
              onClosed: () => this.connections.delete(connection),
            },
          );
          this.connections.add(connection);
        },
        onSecureFailure() {},
      });
    });
  }

  /** Closes everything, as when its process ends. */
  die(): void {
    for (const connection of this.connections) connection.close();
  }

  /** Cuts all outer tunnels, with RST_STREAM(CONNECT_ERROR). */
  cut(): void {
    for (const tunnel of this.tunnels) tunnel.cut();
    this.tunnels.clear();
  }

  #take(loop: ReturnType<typeof makeHboneLoop>, stream: Stream, headers: HeaderList): void {
    this.requests.push(headers);
    if (this.status !== null) {
      stream.respond([[":status", this.status]], true);
      return stream.reset(ErrorCode.NO_ERROR);
    }
    const log = new StreamLog();
    stream.handler = log;
    const dial = this.host.dial(this.onward, {}, {
      onConnect: (socket) => {
        stream.respond([[":status", "200"]], false);
        const owner = { onHalfClosed() {}, onCopied: () => void this.tunnels.delete(tunnel) };
        const tunnel: Tunnel = new Tunnel(loop, socket, stream, UNMETERED, false, owner);
        this.tunnels.add(tunnel);
        tunnel.start();
      },
      onDialFailure: () => {
        stream.respond([[":status", "503"]], true);
        stream.reset(ErrorCode.NO_ERROR);
      },
    });
    log.onReset = () => dial.abort();
  }
}

/** What differs from the usual two networks. */
export interface TwoNetworksOptions {
  readonly memory?: MemoryNetworkOptions;
  readonly client?: NodeOptions;
  readonly server?: NodeOptions;
  readonly service?: Partial<Service>;
  readonly gateway?: GatewayAddress;
  readonly gatewayPort?: number;
  readonly app?: (socket: TestSocket) => void;
  /** What is behind the gateway in place of a node. */
  readonly withoutServer?: boolean;
}

/** By its address, as istiod mostly sends it. */
const BY_ADDRESS: GatewayAddress = {
  kind: "address",
  network: "south",
  ip: parseIp(GATEWAY)!,
  hboneMtlsPort: 15008,
};

/** The client's network and the one behind the gateway. */
export class TwoNetworks extends Testbed {
  readonly gateway: TestGateway;
  readonly client: TestNode;
  readonly server: TestNode | null;
  /** Connections that the application at the far end has accepted. */
  readonly apps: TestSocket[];

  constructor(options: TwoNetworksOptions = {}) {
    super(options.memory);
    const { client, server, gatewayPort = 15008 } = options;
    const networkGateway = options.gateway ?? BY_ADDRESS;
    const far = { network: "south", networkGateway };
    this.gateway = new TestGateway(this, at(`${GATEWAY}:${gatewayPort}`));
    this.client = this.node("client", CLIENT, {
      ...client,
      env: { NETWORK: "north", ...client?.env },
      workload: { network: "north", ...client?.workload },
    });
    this.apply(workloadAt("gateway", GATEWAY, { network: "south" }));
    if (options.withoutServer) {
      this.server = null;
      this.apply(workloadAt("echo", SERVER, far));
    } else {
      const env = { NETWORK: "south", ...server?.env };
      this.server = this.node("echo", SERVER, { ...server, env, workload: { ...far, ...server?.workload } });
    }
    this.apply({
      kind: "service",
      service: remoteService(options.service),
      endpoints: [{ workloadUid: workloadUid("Kubernetes//Pod/default/echo"), ports: new Map(), status: "Healthy" }],
    });
    this.apps = this.listen(`${SERVER}:8080`, options.app ?? echo);
  }

  /** The client's application calls the service. */
  call(reading = true): TestSocket {
    return this.connect(CLIENT, `${VIP}:8080`, reading);
  }

  /** The same, through to the far application. */
  through(reading = true): [client: TestSocket, app: TestSocket] {
    const client = this.call(reading);
    this.run();
    const app = this.apps.at(-1);
    if (app === undefined) throw new Error(this.client.lines.join("\n"));
    return [client, app];
  }

  /** After a moment only the outer connection is left, unused. */
  assertIdle(): void {
    this.advance(1100);
    const { dials, streams, timers } = this.client.held;
    assert.equal(this.gateway.tunnels.size, 0, "an outer tunnel is left");
    assert.ok(streams <= 1, `${streams} sockets`);
    assert.deepEqual([dials, timers], [0, streams === 0 ? 0 : timersOfIdleConnection()]);
    assert.equal(this.client.pod.connectionCount, 0);
  }

  override assertClean(): void {
    if (!this.client.drained) this.assertIdle();
    super.assertClean();
    assert.equal(this.gateway.host.held.streams, 0, "sockets are left at the gateway");
  }
}

/** What a client's node holds for an unused connection of its pool. */
function timersOfIdleConnection(): number {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT);
  bed.node("echo", SERVER);
  bed.listen(`${SERVER}:8080`, echo);
  bed.connect(CLIENT, `${SERVER}:8080`).end();
  bed.run();
  assert.equal(client.held.streams, 1);
  return client.held.timers;
}

/** The service of both endpoints, without endpoints. */
export function remoteService(words: Partial<Service> = {}): Service {
  return {
    ...DEFAULT_SERVICE,
    key: namespacedHostname("default", HOSTNAME),
    namespace: "default",
    name: "remote",
    hostname: HOSTNAME,
    vips: [{ network: "north", ip: parseIp(VIP)! }],
    ports: new Map([[8080, 8080]]),
    subjectAltNames: [SERVER_ID],
    ...words,
  };
}

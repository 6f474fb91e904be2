/** For tests only: a pool, a server that the test controls, and the connections between them. */
import { strict as assert } from "node:assert";
import { KnownPeers } from "../../identity/known_peers.ts";
import { Revocation } from "../../identity/revocation.ts";
import type { SpiffeId } from "../../identity/spiffe_id.ts";
import { type Ip, parseIp, type SocketAddress } from "../../net/address.ts";
import { MemoryNetwork } from "../../net/testkit/memory_network.ts";
import { ErrorCode, type H2Options, type HeaderList, type Stream } from "../../h2/seam.ts";
import { StreamLog } from "../../h2/testkit/pair.ts";
import { makeHboneLoop } from "../hbone_loop.ts";
import type { OpeningTunnel, TunnelEvents } from "../opening_tunnel.ts";
import type { TunnelFailure } from "../failure.ts";
import { Pool } from "../pool.ts";
import type { TunnelRequest } from "../tunnel_request.ts";
import { HostNetwork, NOTHING_HELD } from "./network.ts";
import { NOW, spiffeId, TestCredentials, TestIssuer } from "./identity.ts";
import { type RawPeer, type RawServer, rawServer } from "./peer.ts";

export const CLIENT = spiffeId("spiffe://td/ns/ns/sa/client");
export const SERVER = spiffeId("spiffe://td/ns/ns/sa/server");
const HEADERS: HeaderList = [[":method", "CONNECT"], [":authority", "10.0.0.2:8080"]];
export const SERVER_AT: SocketAddress = { ip: parseIp("10.0.0.2")!, port: 15008 };
export const ONE: Ip = parseIp("10.0.0.1")!;
export const issuer = new TestIssuer();

interface PoolBedOptions {
  readonly maxStreamsPerConnection?: number;
  readonly idle?: number;
  readonly server?: Partial<H2Options>;
  readonly prepare?: (peer: RawPeer) => void;
}

/** A pool on one host and a server on another one. */
export class PoolBed {
  readonly memory = new MemoryNetwork();
  readonly client = new HostNetwork(this.memory, 1);
  readonly server = new HostNetwork(this.memory, 2);
  readonly credentials = new TestCredentials(issuer.credential(CLIENT));
  readonly loop = makeHboneLoop(this.client);
  readonly pool: Pool;
  readonly revocation = new Revocation(this.client, { rejected() {}, untracked() {} });
  readonly served: RawServer;

  constructor({ maxStreamsPerConnection = 100, idle = 300_000, server = {}, prepare = () => {} }: PoolBedOptions = {}) {
    this.memory.assign(1, ONE);
    this.memory.assign(2, SERVER_AT.ip);
    const context = issuer.credential(SERVER).context;
    this.served = rawServer(this.server, SERVER_AT, context, server, prepare);
    this.pool = new Pool(this.loop, this.credentials, {
      dial: {},
      handshakeTimeout: 10_000,
      responseTimeout: 10_000,
      http2: { streamWindow: 1 << 20, connectionWindow: 4 << 20, maxFrameSize: 1 << 20 },
      maxStreamsPerConnection,
      unusedReleaseTimeout: idle,
      wallClock: () => NOW,
      watchDestination: () => () => {},
    }, new KnownPeers(this.revocation));
  }

  request(sourceIp = ONE, options: RequestOptions = {}): TestRequest {
    return new TestRequest(this.pool, sourceIp, CLIENT, [SERVER], options);
  }

  /** Makes `count` requests at once; all tunnels are open when this returns. */
  hold(count: number, sourceIp = ONE): TestRequest[] {
    const requests = Array.from({ length: count }, () => this.request(sourceIp));
    this.memory.runUntilIdle();
    for (const request of requests) assert.equal(request.failure, null);
    return requests;
  }

  release(requests: readonly TestRequest[]): void {
    for (const { stream } of requests) stream!.reset(ErrorCode.CANCEL);
    this.memory.runUntilIdle();
  }

  dropPool(): void {
    this.pool.close();
    this.memory.runUntilIdle();
  }

  get peers(): readonly RawPeer[] {
    return this.served.peers;
  }

  /** Number of connections that the server has accepted, and of those that have ended. */
  get counts(): [opened: number, dropped: number] {
    return [this.peers.length, this.peers.filter(({ end }) => end !== null).length];
  }

  assertClean(): void {
    this.memory.runUntilIdle();
    assert.deepEqual(this.client.held, NOTHING_HELD);
    assert.deepEqual([this.pool.size, this.pool.keys], [0, 0]);
  }
}

type RequestOptions = Partial<Pick<TunnelRequest, "connectTimeout" | "hasAlternatives">>;

/** One request, with a record of its events. */
export class TestRequest implements TunnelEvents {
  readonly opening: OpeningTunnel;
  readonly log = new StreamLog();
  stream: Stream | null = null;
  failure: TunnelFailure | null = null;

  constructor(
    pool: Pool,
    sourceIp: Ip,
    source = CLIENT,
    expected: readonly SpiffeId[] = [SERVER],
    { connectTimeout = null, hasAlternatives = false }: RequestOptions = {},
  ) {
    const peer = { address: SERVER_AT, expected };
    this.opening = pool.request(
      { source, sourceIp, destination: "uid", peer, headers: HEADERS, connectTimeout, hasAlternatives },
      this,
    );
  }

  onTunnel(stream: Stream): void {
    this.stream = this.log.stream = stream;
    stream.handler = this.log;
  }

  onTunnelFailure(failure: TunnelFailure): void {
    assert.equal(this.failure, null, "notified twice");
    this.failure = failure;
  }
}

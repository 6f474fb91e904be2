/** A client's node and a service with several endpoints, which each test makes work or fail. */
import { strict as assert } from "node:assert";
import type { HeaderList, Stream } from "../../h2/seam.ts";
import { type RawPeer, type RawServer, rawServer } from "../../hbone/testkit/peer.ts";
import type { TestSocket } from "../../hbone/testkit/socket.ts";
import { DEFAULT_SERVICE } from "../../mesh/model/defaults.ts";
import { namespacedHostname, type Service, type Workload } from "../../mesh/model/model.ts";
import { formatAddress, type Ip, parseIp, type SocketAddress } from "../../net/address.ts";
import { type NodeOptions, Testbed, type TestNode, workloadAt } from "./testbed.ts";

const CLIENT = "10.0.0.1";
const KEY = namespacedHostname("default", "web.default.svc");
const VIPS = ["10.10.0.1", "fd00:10::1"];

/** What differs from a service with three endpoints that take plain TCP. */
interface SeveralOptions {
  readonly protocol?: Workload["protocol"];
  /** Addresses of the endpoints, in the order in which they are chosen. */
  readonly ips?: readonly string[];
  readonly service?: Partial<Service>;
  readonly client?: NodeOptions;
}

/** The endpoints are called web-1, web-2 and so on. Unless a test starts one, its ports refuse connections. */
export class SeveralEndpoints extends Testbed {
  readonly client: TestNode;
  readonly #ips: readonly Ip[];
  readonly #protocol: Workload["protocol"];

  constructor(
    { protocol = "TCP", ips = ["10.0.0.2", "10.0.0.3", "10.0.0.4"], service = {}, client = {} }: SeveralOptions = {},
  ) {
    super();
    this.#ips = ips.map((ip) => parseIp(ip)!);
    this.#protocol = protocol;
    this.client = this.node("client", CLIENT, { ...client, env: { CONNECT_TIMEOUT: "10s", ...client.env } });
    const vips = VIPS.map((vip) => ({ network: "", ip: parseIp(vip)! }));
    const ports = new Map([[80, 8080]]);
    this.apply({
      kind: "service",
      service: {
        ...DEFAULT_SERVICE,
        key: KEY,
        namespace: "default",
        hostname: "web.default.svc",
        vips,
        ports,
        ...service,
      },
      endpoints: [],
    });
    for (const [i, ip] of this.#ips.entries()) {
      this.host(ip);
      const { workload } = workloadAt(`web-${i + 1}`, ip, { protocol, services: [KEY] });
      this.apply({ kind: "workload", workload, endpoints: new Map([[KEY, new Map()]]) });
    }
  }

  /** What is dialled to reach an endpoint, which counts from 1. */
  address(endpoint: number): SocketAddress {
    return { ip: this.#ips[endpoint - 1]!, port: this.#protocol === "HBONE" ? 15008 : 8080 };
  }

  /** Starts an endpoint that answers with its name, in plain TCP. */
  serve(endpoint: number): TestSocket[] {
    return this.listen(formatAddress(this.address(endpoint)), (socket) => void socket.send(`web-${endpoint}`));
  }

  /** Starts an HBONE server at an endpoint. `respond` answers a CONNECT; default: 200, and the name of the endpoint. */
  serveHbone(
    endpoint: number,
    respond: (stream: Stream, headers: HeaderList, peer: RawPeer) => void = (stream) => accept(stream, endpoint),
    identity = `web-${endpoint}`,
  ): RawServer {
    const context = this.context(`spiffe://cluster.local/ns/default/sa/${identity}`);
    return rawServer(this.host(this.#ips[endpoint - 1]!), this.address(endpoint), context, {}, (peer) => {
      peer.answer = (log, headers) => respond(log.stream, headers, peer);
    });
  }

  /** Starts a connection of the client's application to the service. */
  call(vip = VIPS[0]!): TestSocket {
    const client = this.connect(CLIENT, formatAddress({ ip: parseIp(vip)!, port: 80 }));
    this.run();
    return client;
  }

  /** The same by IPv6. */
  call6(): TestSocket {
    return this.call(VIPS[1]!);
  }

  /** Calls the service. Returns the name of the endpoint that served; "": the client was reset. */
  served(): string {
    const client = this.call();
    const { text } = client;
    client.duplex.close(true);
    this.run();
    return text;
  }

  /** Names of the endpoints that the node has dialled, in order, since the last call of this. */
  dialled(): string[] {
    return this.client.host.dialled.splice(0).map(({ ip }) => `web-${this.#ips.indexOf(ip) + 1}`);
  }

  /** Access lines as `attempt 1 web-1: error` or `complete web-2`, `complete web-2: error`. */
  get outcomes(): string[] {
    return this.client.access.map((line) => {
      const [, message, rest = ""] = /^\w+ connection (complete|attempt failed|failed|opened) (.*)$/.exec(line) ??
        assert.fail(line);
      const name = /dst\.workload="([^"]*)"/.exec(rest)?.[1] ?? "?";
      const attempt = /attempt=(\d+)/.exec(rest)?.[1];
      const error = /error="(.*)"$/.exec(rest)?.[1];
      const what = message === "attempt failed" ? `attempt ${attempt}` : message;
      return `${what} ${name}${error === undefined ? "" : `: ${error}`}`;
    });
  }

  /** What counters of all endpoints say together. */
  get counted(): { readonly opened: number; readonly closed: number; readonly failed: number } {
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
    const { series } = this.client;
    return {
      opened: sum(series.map(({ opened }) => opened)),
      closed: sum(series.flatMap(({ closed }) => Object.values(closed))),
      failed: sum(series.flatMap(({ failed }) => Object.values(failed))),
    };
  }
}

function accept(stream: Stream, endpoint: number): void {
  stream.respond([[":status", "200"]], false);
  const text = new TextEncoder().encode(`web-${endpoint}`);
  const room = stream.reserve(text.length, 1 << 16)!;
  const [start = 0] = room.segments;
  room.bytes.set(text, start);
  stream.commit(text.length, false);
}

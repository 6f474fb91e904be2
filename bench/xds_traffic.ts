/** Requests through a pair of proxies while one of them receives a whole mesh. Needs root, as the pair does. */
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "../src/xds/resources.ts";
import { ControlPlane } from "../testkit/control_plane.ts";
import { type AdsStream, encodeResponse } from "../testkit/control_plane_stream.ts";
import { makeMesh, type Mesh, sizeOf } from "../testkit/mesh_resources.ts";
import { sleep } from "./processes.ts";
import { ours } from "./proxies.ts";
import { Session } from "./session.ts";

const CONNECTIONS = 32;
/** A mesh of 100,000 workloads takes most of it. */
const SECONDS = 10;
const ROUNDS = 3;
/** ms after the mesh. */
const POLICIES_AFTER = 1000;

/** The figures. */
interface TrafficFigures {
  /** Requests per second of each round, without and with a mesh being received. */
  readonly quiet: readonly number[];
  readonly loading: readonly number[];
  /** 99th percentile of the latencies, µs. */
  readonly quietP99: readonly number[];
  readonly loadingP99: readonly number[];
  /** ms until the acknowledgement of the mesh, and of policies that are sent a second after it. */
  readonly load: readonly number[];
  readonly policies: readonly number[];
}

/** Both proxies have the mesh from the static file; the control plane adds to it over a Unix socket. */
export async function measureTraffic(workloads: number): Promise<TrafficFigures> {
  const mesh = makeMesh(sizeOf(workloads));
  const path = await Deno.makeTempDir({ prefix: "ztunnel-bench-xds-" });
  const session = new Session();
  const figures = {
    quiet: [] as number[],
    loading: [] as number[],
    quietP99: [] as number[],
    loadingP99: [] as number[],
    load: [] as number[],
    policies: [] as number[],
  };
  const plane = await ControlPlane.start({ path: `${path}/xds.sock` });
  try {
    const [subject, stream] = await Promise.all([
      session.start(ours({ env: { XDS_ADDRESS: plane.url } })),
      serverSide(plane),
    ]);
    const requests = () => subject.requests({ connections: CONNECTIONS, seconds: SECONDS });
    await requests();
    for (let round = 0; round < ROUNDS; round++) {
      const quiet = await requests();
      const [loading, { load, policies }] = await Promise.all([requests(), push(stream, mesh, round)]);
      figures.quiet.push(quiet.perSecond);
      figures.quietP99.push(quiet.p99);
      figures.loading.push(loading.perSecond);
      figures.loadingP99.push(loading.p99);
      figures.load.push(load);
      figures.policies.push(policies);
    }
    stream.abandon();
    return figures;
  } finally {
    // In the other order an assertion in nghttp2's server side sometimes aborts this process.
    await plane.stop();
    await session.close();
    await Deno.remove(path, { recursive: true });
  }
}

/** Sends the mesh, and policies while it is applied. Returns how long each took. */
async function push(stream: AdsStream, mesh: Mesh, round: number): Promise<{ load: number; policies: number }> {
  const start = performance.now();
  stream.send(encodeResponse({ typeUrl: ADDRESS_TYPE, nonce: `mesh ${round}`, resources: mesh.addresses }));
  await sleep(POLICIES_AFTER);
  const second = performance.now();
  stream.send(
    encodeResponse({ typeUrl: AUTHORIZATION_TYPE, nonce: `policies ${round}`, resources: mesh.policies.slice(1) }),
  );
  await stream.expectAck(`policies ${round}`, AUTHORIZATION_TYPE);
  const policies = performance.now() - second;
  await stream.expectAck(`mesh ${round}`);
  return { load: performance.now() - start, policies };
}

/** Sends an empty mesh to both proxies, which makes them ready. Returns the stream of the second. */
async function serverSide(plane: ControlPlane): Promise<AdsStream> {
  let last: AdsStream | null = null;
  for (let i = 0; i < 2; i++) {
    last = await plane.stream();
    await last.request();
    await last.request();
    await last.push(ADDRESS_TYPE, "nothing", []);
    await last.push(AUTHORIZATION_TYPE, "nothing either", []);
  }
  return last!;
}

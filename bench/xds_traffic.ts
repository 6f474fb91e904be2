/** Requests through a pair of proxies while one of them receives a whole mesh. Needs root, as the pair does. */
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "../src/xds/resources.ts";
import { ControlPlane } from "../testkit/control_plane.ts";
import { type AdsStream, encodeResponse } from "../testkit/control_plane_stream.ts";
import { makeMesh, sizeOf } from "../testkit/mesh_resources.ts";
import { ours } from "./proxies.ts";
import { Session } from "./session.ts";

const CONNECTIONS = 32;
const SECONDS = 4;
const ROUNDS = 3;

/** The figures. */
interface TrafficFigures {
  /** Requests per second of each round, without and with a mesh being received. */
  readonly quiet: readonly number[];
  readonly loading: readonly number[];
  /** 99th percentile of the latencies, µs. */
  readonly quietP99: readonly number[];
  readonly loadingP99: readonly number[];
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
      const nonce = `mesh ${round}`;
      stream.send(encodeResponse({ typeUrl: ADDRESS_TYPE, nonce, resources: mesh.addresses }));
      const loading = await requests();
      await stream.expectAck(nonce);
      figures.quiet.push(quiet.perSecond);
      figures.quietP99.push(quiet.p99);
      figures.loading.push(loading.perSecond);
      figures.loadingP99.push(loading.p99);
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

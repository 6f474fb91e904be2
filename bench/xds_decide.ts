/** `xds_decide.ts WORKLOADS`: what a connection's two decisions cost in a mesh of this size. Prints JSON. */
import { authorize, type Call } from "../src/mesh/policy/authorize.ts";
import type { Workload } from "../src/mesh/model/model.ts";
import { resolveOutbound } from "../src/mesh/resolve/outbound.ts";
import { MeshState } from "../src/mesh/state/state.ts";
import { identityOf } from "../src/mesh/model/workload_identity.ts";
import { ipv4FromBytes, type SocketAddress } from "../src/net/address.ts";
import { ResourceDecoder } from "../src/xds/decode.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "../src/xds/resources.ts";
import { makeMesh, sizeOf, vipOf } from "../testkit/mesh_resources.ts";

/** As many services as the pods of a node may call. */
const TARGETS = 2000;
/** Calls per run, and runs. The fastest run is used, as other load on the machine makes runs slower. */
const CALLS = 20_000, RUNS = 25;

/** The figures. */
export interface DecisionFigures {
  /** Microseconds for a service that was called before, resolved and authorized at the other end. */
  readonly warm: number;
  /** The same for the first call to each service. */
  readonly cold: number;
}

const size = sizeOf(Number(Deno.args[0] ?? 100_000));
const state = load();
const sources = podsOfOneNode([...state.workloads()]);
const targets = Array.from({ length: Math.min(TARGETS, size.services) }, (_, i): SocketAddress => {
  const service = Math.floor(i * size.services / Math.min(TARGETS, size.services));
  return { ip: ipv4FromBytes(vipOf(service)), port: 80 };
});

function load(): MeshState {
  const mesh = makeMesh(size);
  const decoder = new ResourceDecoder(1 << 16);
  const state = new MeshState("a-node");
  for (const [type, list] of [[ADDRESS_TYPE, mesh.addresses], [AUTHORIZATION_TYPE, mesh.policies]] as const) {
    for (const { name, body } of list) {
      const decoded = decoder.decode(type, name, body);
      if (!decoded.ok) throw new Error(decoded.reason);
      state.apply([decoded.change]);
    }
  }
  return state;
}

function podsOfOneNode(workloads: readonly Workload[]): readonly Workload[] {
  const { node } = workloads[0]!;
  return workloads.filter((workload) => workload.node === node);
}

/** Both ends of one connection. Returns something that depends on all of it. */
function decide(source: Workload, target: SocketAddress): boolean {
  const sourceIp = source.workloadIps[0]!;
  const request = { source, sourceIp, target, network: "", hbonePort: 15008, asked: null, tried: null };
  const route = resolveOutbound(state, request, Math.random);
  if (route.kind !== "route" || route.destination === null) throw new Error(`no way to ${target.ip}`);
  const call: Call = {
    destination: route.destination,
    source: { ip: sourceIp, port: 40_000 },
    identity: identityOf(source),
    target: { ip: route.actual.ip, port: 8080 },
  };
  return authorize(state, call).allow;
}

function run(calls: number): number {
  let allowed = 0;
  const start = performance.now();
  for (let i = 0; i < calls; i++) {
    if (decide(sources[i % sources.length]!, targets[(i * 7919) % targets.length]!)) allowed++;
  }
  if (allowed === 0) throw new Error("nothing was allowed");
  return (performance.now() - start) * 1000 / calls;
}

const cold = run(targets.length);
const warm = Math.min(...Array.from({ length: RUNS }, () => run(CALLS)));
console.log(JSON.stringify({ warm, cold } satisfies DecisionFigures));

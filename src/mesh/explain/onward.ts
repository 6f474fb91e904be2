/**
 * The destinations that a waypoint may send a connection to. Its routes are not known here, only what it could reach.
 */
import { formatAddress, type SocketAddress } from "../../net/address.ts";
import { admissionOf, workloadSummary } from "./admission.ts";
import { waysOf } from "./ways.ts";
import type { ExplainSettings, Hop, Onward } from "./explanation.ts";
import type { Workload } from "../model/model.ts";
import type { Reason } from "../model/reasons.ts";
import { ServiceEntry } from "../state/service_entry.ts";
import type { MeshState } from "../state/state.ts";
import { Upstream } from "../model/upstream.ts";
import { chooseIp, throughService } from "../resolve/upstream_choice.ts";
import { identityOf } from "../model/workload_identity.ts";

/** `target`: the target of the CONNECT that the waypoint receives. `max`: destinations that are followed. */
export function onwardOf(
  state: MeshState,
  settings: ExplainSettings,
  waypoint: Workload,
  target: SocketAddress,
  max: number,
): Onward {
  const found = state.findAddress(settings.network, target.ip, null);
  if (found === null) {
    return {
      text: `its own routes and policies decide; nothing of the mesh is at ${formatAddress(target)}`,
      hops: [],
      more: 0,
    };
  }
  if (!(found instanceof ServiceEntry)) {
    const hop = hopTo(state, settings, waypoint, new Upstream(found, target.port, null), target, []);
    return { text: "its own routes and policies decide; it can reach", hops: [hop], more: 0 };
  }
  const { ways, more } = waysOf(
    (random, trace) => throughService(state, found, waypoint, target.port, "standard", random, trace),
    max,
  );
  const hops = ways.flatMap(({ outcome, because }) =>
    outcome === null ? [] : [hopTo(state, settings, waypoint, outcome, target, because)]
  );
  const what = hops.length === 0 ? `no endpoint of ${found.service.key} can be reached` : "it can reach";
  return { text: `its own routes and policies decide; ${what}`, hops, more };
}

function hopTo(
  state: MeshState,
  settings: ExplainSettings,
  waypoint: Workload,
  upstream: Upstream,
  target: SocketAddress,
  because: readonly Reason[],
): Hop {
  const { workload, port, service } = upstream;
  const ip = chooseIp(workload, service?.ipFamilies ?? null, target.ip);
  const tunnel = workload.protocol === "HBONE";
  const authority = ip === null || !tunnel ? null : formatAddress({ ip, port });
  const dialled = tunnel ? settings.hbonePort : port;
  return {
    by: "waypoint",
    because,
    outcome: {
      kind: "route",
      protocol: tunnel ? "HBONE" : "TCP",
      dial: ip === null ? `${workload.hostname}:${dialled}` : formatAddress({ ip, port: dialled }),
      authority,
      destination: workloadSummary(workload),
      service: service?.key ?? null,
      shows: tunnel ? identityOf(waypoint) : null,
      expects: tunnel ? upstream.identities : [],
      expectsBehind: [],
      leadsTo: "destination",
    },
    admission: ip === null ? null : admissionOf(state, settings, {
      workload,
      from: { ip: waypoint.workloadIps[0] ?? ip, port: 0 },
      identity: tunnel ? identityOf(waypoint) : null,
      at: { ip, port: dialled },
      authority,
      host: service?.hostname ?? null,
    }),
  };
}

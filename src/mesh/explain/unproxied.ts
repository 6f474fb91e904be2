/** Clients without a proxy: their connections are plain TCP, without an identity. */
import { formatAddress, type Ip, type SocketAddress } from "../../net/address.ts";
import { admissionOf, workloadSummary } from "./admission.ts";
import type { DrawnWays } from "./ways.ts";
import type { ExplainSettings, Hop } from "./explanation.ts";
import type { Service, Workload } from "../model/model.ts";
import type { Reason } from "../model/reasons.ts";
import { ServiceEntry } from "../state/service_entry.ts";
import type { MeshState } from "../state/state.ts";
import { chooseIp } from "../resolve/upstream_choice.ts";

/** A client without a proxy. */
interface UnproxiedClient {
  /** Null: the client is no workload of the mesh. */
  readonly workload: Workload | null;
  readonly ip: Ip;
}

/** The connections that may result. The node (kube-proxy) chooses the endpoint of a service, each with equal chance. */
export function unproxiedHops(
  state: MeshState,
  settings: ExplainSettings,
  client: UnproxiedClient,
  target: SocketAddress,
  max: number,
): DrawnWays<Hop> {
  const network = client.workload?.network ?? settings.network;
  const found = state.findAddress(network, target.ip, client.workload?.namespace ?? null);
  const because: Reason[] = [{ rule: "client.unproxied", text: whyUnproxied(client), decides: true }];
  const to = (address: SocketAddress, workload: Workload | null, service: Service | null, chance: number) => {
    const outcome = hopTo(state, settings, client, address, workload, service, because);
    return { outcome, chance, because };
  };
  if (!(found instanceof ServiceEntry)) return { ways: [to(target, found, null, 1)], more: 0 };
  const endpoints = endpointsOf(state, found, target);
  const text = `${formatAddress(target)} is service ${found.service.key}: the node chooses one of its endpoints`;
  because.push({ rule: "client.service", subject: found.service.key, text });
  const ways = endpoints.slice(0, max).map(({ address, workload }) =>
    to(address, workload, found.service, 1 / endpoints.length)
  );
  if (ways.length > 0) return { ways, more: endpoints.length - ways.length };
  const message = `no endpoint of ${found.service.key} has port ${target.port}`;
  const refused: Hop = {
    by: "client",
    because,
    outcome: { kind: "refusal", code: "NO_HEALTHY_UPSTREAM", message },
    admission: null,
  };
  return { ways: [{ outcome: refused, chance: 1, because }], more: 0 };
}

function whyUnproxied({ workload, ip }: UnproxiedClient): string {
  const who = workload === null ? `no workload of the mesh has ${ip}` : `${workload.uid} has no proxy (protocol TCP)`;
  return `${who}: it connects by itself, in plain text and without an identity`;
}

function endpointsOf(state: MeshState, { service, endpoints }: ServiceEntry, target: SocketAddress) {
  return [...endpoints.values()].flatMap(({ workloadUid, ports }) => {
    const workload = state.workload(workloadUid);
    const port = ports.get(target.port) ?? service.ports.get(target.port) ?? 0;
    const ip = workload === null ? null : chooseIp(workload, service.ipFamilies, target.ip);
    return workload === null || ip === null || port === 0 ? [] : [{ workload, address: { ip, port } }];
  });
}

function hopTo(
  state: MeshState,
  settings: ExplainSettings,
  client: UnproxiedClient,
  address: SocketAddress,
  workload: Workload | null,
  service: Service | null,
  because: readonly Reason[],
): Hop {
  const arrival = { from: { ip: client.ip, port: 0 }, identity: null, at: address, authority: null, host: null };
  return {
    by: "client",
    because,
    outcome: {
      kind: "route",
      protocol: "TCP",
      dial: formatAddress(address),
      authority: null,
      destination: workload === null ? null : workloadSummary(workload),
      service: service?.key ?? null,
      shows: null,
      expects: [],
      expectsBehind: [],
      leadsTo: workload === null ? "outside" : "destination",
    },
    admission: workload === null ? null : admissionOf(state, settings, { ...arrival, workload }),
  };
}

/**
 * `ztunnel explain`: the ways that a connection from one workload to one target may take, every rule that was applied,
 * and what the policies at the other end decide. All of it is computed by the code that decides about real connections
 * (`outbound.ts`, `inbound.ts`, `authorize.ts`). Where that draws a random number, each outcome is followed.
 */
import { formatAddress, type SocketAddress } from "../../net/address.ts";
import { workloadSummary } from "./admission.ts";
import { type Client, decide, hopOf } from "./hop.ts";
import { onwardOf } from "./onward.ts";
import { findSource, type Mistake, mistake } from "./source.ts";
import { outlookOf, summaryOf } from "./summary.ts";
import { findTarget, type NameLookup } from "./target.ts";
import { unproxiedHops } from "./unproxied.ts";
import { type DrawnWays, waysOf } from "./ways.ts";
import type { ExplainAnswer, ExplainQuestion, ExplainSettings, Hop, Onward, Way } from "./explanation.ts";
import { workloadUid } from "../model/model.ts";
import { ServiceEntry } from "../state/service_entry.ts";
import type { MeshState } from "../state/state.ts";
import { chooseIp } from "../resolve/upstream_choice.ts";

/** Ways that are followed at most, and destinations behind each waypoint. */
const MAX_FOLLOWED = 32;

/** Answers `question` from the current state. `lookup` answers names as the DNS proxy does. */
export function explain(
  state: MeshState,
  settings: ExplainSettings,
  question: ExplainQuestion,
  lookup: NameLookup,
): ExplainAnswer {
  const source = findSource(state, settings, question.from);
  if (source.kind === "mistake") return errorOf(source);
  const { workload } = source;
  const target = findTarget(state, workload, settings.network, question.to, lookup);
  if (target.kind === "mistake") return errorOf(target);
  const ip = source.ip ?? (workload === null ? null : chooseIp(workload, null, target.address.ip));
  if (ip === null) return errorOf(mistake("BAD_SOURCE", `${workload?.uid} has no address, so nothing comes from it`));
  const hops = workload?.protocol === "HBONE"
    ? proxiedHops(state, settings, { workload, ip }, target.address)
    : unproxiedHops(state, settings, { workload, ip }, target.address, MAX_FOLLOWED);
  const ways = hops.ways.map(({ outcome: hop, chance }) => wayOf(state, settings, hop, chance, target.address));
  return {
    kind: "explanation",
    explanation: {
      from: workload === null ? null : workloadSummary(workload),
      fromAddress: ip,
      to: { asked: question.to, address: formatAddress(target.address), because: target.because },
      outlook: outlookOf(ways.map((way) => way.outlook)),
      summary: summaryOf(ways),
      ways,
      more: hops.more,
      unready: unreadyOf(state, settings, target.address),
    },
  };
}

function proxiedHops(
  state: MeshState,
  settings: ExplainSettings,
  client: Client,
  target: SocketAddress,
): DrawnWays<Hop> {
  const { ways, more } = waysOf(
    (random, trace) => decide(state, settings, client, target, random, trace),
    MAX_FOLLOWED,
  );
  return {
    ways: ways.map((way) => ({ ...way, outcome: hopOf(state, settings, client, way.outcome, way.because) })),
    more,
  };
}

function wayOf(state: MeshState, settings: ExplainSettings, hop: Hop, chance: number, target: SocketAddress): Way {
  const onward = onwardFrom(state, settings, hop, target);
  const behind = onward === null ? [] : [outlookOf(onward.hops.map(outlookOfHop))];
  const own = outlookOfHop(hop);
  return { chance, outlook: own === "allowed" ? behind[0] ?? own : own, hop, onward };
}

function onwardFrom(state: MeshState, settings: ExplainSettings, hop: Hop, target: SocketAddress): Onward | null {
  if (hop.outcome.kind === "refusal" || hop.outcome.leadsTo !== "waypoint") return null;
  const waypoint = hop.outcome.destination === null ? null : state.workload(workloadUid(hop.outcome.destination.uid));
  return waypoint === null ? null : onwardOf(state, settings, waypoint, target, MAX_FOLLOWED);
}

function outlookOfHop({ outcome, admission }: Hop): Way["outlook"] {
  return outcome.kind === "refusal" || admission?.allow === false ? "refused" : "allowed";
}

/**
 * Workloads of the target service that are left out because they are not ready. Computed here, as the proxy keeps no
 * such list.
 */
function unreadyOf(state: MeshState, { network }: ExplainSettings, { ip }: SocketAddress): string[] {
  const entry = state.findAddress(network, ip, null);
  if (!(entry instanceof ServiceEntry)) return [];
  const found: string[] = [];
  for (const uid of state.unhealthyWorkloads()) {
    const services = state.workload(uid)?.services ?? [];
    const absent = services.includes(entry.service.key) && !entry.endpoints.has(uid);
    if (absent && found.push(uid) === MAX_FOLLOWED) break;
  }
  return found;
}

function errorOf({ error }: Mistake): ExplainAnswer {
  return { kind: "error", error };
}

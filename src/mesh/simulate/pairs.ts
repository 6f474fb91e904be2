/**
 * Compares the decisions about all pairs that the mesh knows: who may connect, and where to.
 *
 * Enumerated are identities and not workloads, groups of workloads with the same policies, and ports that a policy names,
 * with one more that stands for all others. Addresses of clients and destinations are tried one by one only where a policy
 * has conditions on them. So a change that concerns few workloads costs little in a mesh of 10,000.
 */
import type { Ip } from "../../net/address.ts";
import type { Match, Policy, Workload } from "../model/model.ts";
import type { MeshState } from "../state/state.ts";
import type { TwoMeshes } from "./apply_changes.ts";
import { Changes, CHANGES_MAX, sortChanges } from "./change_list.ts";
import type { Comparison, Difference } from "./comparison.ts";
import { type DestinationGroup, Destinations, type Member } from "./destinations.ts";
import { type ChangeList, DESTINATIONS_MAX, type Enumerated } from "./result.ts";
import { type SourceGroup, Sources } from "./sources.ts";

/** Decisions that are compared; each takes about a microsecond. */
const COMPARED_MAX = 4_000_000;
const PORTS_MAX = 64;

/** What was compared, and what changes. */
interface ComparedPairs {
  readonly list: ChangeList;
  readonly enumerated: Enumerated;
}

/** Each yield ends a step of some microseconds. */
export function* comparePairs(
  state: MeshState,
  meshes: TwoMeshes,
  comparison: Comparison,
): Generator<void, ComparedPairs, undefined> {
  const sources = new Sources();
  const destinations = new Destinations(meshes);
  for (const workload of state.workloads()) {
    sources.add(workload);
    destinations.add(workload);
    yield;
  }
  yield* destinations.addPorts(state);
  const { all } = sources;
  const { changed } = destinations;
  const pairs = new Pairs(comparison);
  for (const group of changed) {
    const ports = portsOf(group);
    const uses = usedAddresses(group.policies);
    for (const source of all) yield* pairs.compare(source, group, ports, uses);
  }
  sortChanges(pairs.list.changes);
  const enumerated = {
    identities: all.filter(({ identity }) => identity !== null).length,
    destinations: destinations.workloads,
    groups: destinations.groups,
    changedGroups: changed.length,
  };
  return { list: pairs.list, enumerated };
}

/** A port to try. `others`: it stands for all ports that no policy names. */
interface PortToTry {
  readonly port: number;
  readonly others: boolean;
}

interface UsedAddresses {
  readonly sources: boolean;
  readonly destinations: boolean;
}

/** The outcome for one source and one destination: where decisions change, and for how many workloads of the source. */
interface Outcome {
  readonly differences: readonly PortsWithDifference[];
  /** Null: the addresses of the source do not matter. */
  readonly address: Ip | null;
  workloads: number;
}

interface PortsWithDifference {
  readonly difference: Difference;
  readonly ports: PortToTry[];
}

class Pairs {
  readonly #comparison: Comparison;
  readonly list: ChangeList = new Changes().list;

  constructor(comparison: Comparison) {
    this.#comparison = comparison;
  }

  *compare(
    source: SourceGroup,
    group: DestinationGroup,
    ports: readonly PortToTry[],
    uses: UsedAddresses,
  ): Generator<void, void, undefined> {
    const ips = uses.sources ? source.ips : null;
    const { members } = group;
    if (!uses.destinations) {
      const [any] = members;
      for (const outcome of yield* this.#outcomes(source, ips, any!.workloads[0]!, ports)) {
        this.#add(source, outcome, members, ports);
      }
      return;
    }
    for (const member of members) {
      for (const workload of member.workloads) {
        const one = { ...member, workloads: [workload] };
        for (const outcome of yield* this.#outcomes(source, ips, workload, ports)) {
          this.#add(source, outcome, [one], ports);
        }
      }
    }
  }

  /** Addresses with the same outcome are counted together. */
  *#outcomes(
    source: SourceGroup,
    ips: readonly Ip[] | null,
    destination: Workload,
    ports: readonly PortToTry[],
  ): Generator<void, readonly Outcome[], undefined> {
    const found = new Map<string, Outcome>();
    for (const ip of ips ?? source.ips.slice(0, 1)) {
      const differences = yield* this.#differences(source, ip, destination, ports);
      if (differences.size === 0) continue;
      const key = [...differences].map(([key, { ports }]) => `${key} ${ports.map(({ port }) => port)}`).join("|");
      const known = found.get(key);
      if (known !== undefined) known.workloads++;
      else {
        const address = ips === null ? null : ip;
        found.set(key, {
          differences: [...differences.values()],
          address,
          workloads: ips === null ? source.workloads : 1,
        });
      }
    }
    return [...found.values()];
  }

  /** The ports where the decision changes, by the reason. */
  *#differences(
    { identity }: SourceGroup,
    ip: Ip,
    destination: Workload,
    ports: readonly PortToTry[],
  ): Generator<void, ReadonlyMap<string, PortsWithDifference>, undefined> {
    const found = new Map<string, PortsWithDifference>();
    const { list } = this;
    for (const each of ports) {
      if (list.evaluated >= COMPARED_MAX) {
        list.skipped++;
        continue;
      }
      list.evaluated++;
      const target = { ip: destination.workloadIps[0]!, port: each.port };
      const difference = this.#comparison.compare({ destination, source: { ip, port: 0 }, identity, target });
      if (difference !== null) {
        const key = `${difference.change} ${difference.before.policy} ${difference.after.policy}`;
        const known = found.get(key);
        if (known === undefined) found.set(key, { difference, ports: [each] });
        else known.ports.push(each);
      }
      yield;
    }
    return found;
  }

  /** Where the list is full, the changes are only counted. */
  #add(
    source: SourceGroup,
    { differences, address, workloads }: Outcome,
    members: readonly Member[],
    tried: readonly PortToTry[],
  ): void {
    const { list } = this;
    const named = new Set(tried.filter(({ others }) => !others).map(({ port }) => port));
    for (const { difference, ports } of differences) {
      list[difference.change] += members.length;
      if (list.changes.length >= CHANGES_MAX) {
        list.more++;
        continue;
      }
      const otherPorts = ports.some(({ others }) => others);
      const changed = ports.filter(({ others }) => !others).map(({ port }) => port);
      const portsOfMember = (member: Member) => {
        const served = otherPorts ? [...member.ports].filter((port) => !named.has(port)) : [];
        return [...changed, ...served].sort((a, b) => a - b);
      };
      const listed = members.slice(0, DESTINATIONS_MAX);
      list.changes.push({
        ...difference,
        source: { identity: source.identity, workload: null, address, workloads },
        destinations: listed.map((member) => ({
          namespace: member.namespace,
          workload: member.name,
          workloads: member.workloads.length,
          ports: portsOfMember(member),
        })),
        moreDestinations: members.length - listed.length,
        otherPorts,
        count: members.length,
        ids: [],
      });
    }
  }
}

/** The ports that policies of the group name, and one for all others. */
function portsOf({ policies, members }: DestinationGroup): readonly PortToTry[] {
  const named = new Set<number>();
  for (const match of matchesOf(policies)) {
    for (const port of [...match.destinationPorts, ...match.notDestinationPorts]) named.add(port);
  }
  const [member] = members;
  let other = [...member?.ports ?? []].find((port) => !named.has(port)) ?? 1;
  while (named.has(other)) other++;
  const tried = [...named].sort((a, b) => a - b).slice(0, PORTS_MAX);
  return [...tried.map((port) => ({ port, others: false })), { port: other, others: true }];
}

function usedAddresses(policies: readonly Policy[]): UsedAddresses {
  const matches = [...matchesOf(policies)];
  const uses = (pick: (match: Match) => readonly unknown[]) => matches.some((match) => pick(match).length > 0);
  return {
    sources: uses(({ sourceIps, notSourceIps }) => [...sourceIps, ...notSourceIps]),
    destinations: uses(({ destinationIps, notDestinationIps }) => [...destinationIps, ...notDestinationIps]),
  };
}

function* matchesOf(policies: readonly Policy[]): Generator<Match, void, undefined> {
  for (const { rules } of policies) {
    for (const clauses of rules) {
      for (const clause of clauses) yield* clause;
    }
  }
}

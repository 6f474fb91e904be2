/**
 * Reads a config dump (`docs/spec/config-admin.md` 4.4), ours or the native proxy's, back into the changes that build
 * its mesh and the settings of its proxy.
 *
 * Reading is strict: an invalid value is an error with its path. Unknown keys are skipped, since newer proxies dump
 * more, except in policies: skipping an unknown condition could reverse a verdict.
 *
 * A dump is sorted, so the order of arrival is lost. Where two workloads of equal rank have one address, or two
 * services of equal rank and different names, the choice may differ from that of the proxy.
 */
import type { MeshChange } from "../model/changes.ts";
import { DumpError, readJson } from "./fields.ts";
import { readSettings } from "./settings.ts";
import type { DumpedCall } from "../simulate/flow_calls.ts";
import { parseSocketAddress } from "../../net/address.ts";
import type { ExplainSettings } from "../explain/explanation.ts";
import type { Field } from "../static_file/field.ts";
import {
  type NamespacedHostname,
  parseNamespacedHostname,
  type PortMap,
  type Workload,
  type WorkloadUid,
} from "../model/model.ts";
import { parseSpiffeId } from "../model/workload_identity.ts";
import { readPolicy } from "../static_file/policy.ts";
import { readEndpoint, readService } from "../static_file/service.ts";
import { readDumpedWorkload } from "../static_file/workload.ts";

/** What a dump contains. */
interface Dump {
  /** One batch, for an empty state. */
  readonly changes: readonly MeshChange[];
  readonly settings: ExplainSettings;
  /** The open connections into the node's pods; null: the dump has no such section. */
  readonly inbound: readonly DumpedCall[] | null;
}

type Memberships = Map<WorkloadUid, Map<NamespacedHostname, PortMap>>;

/** Reads a dump. `name`: its name in messages, a path. Throws {@link DumpError}. */
export function readDump(text: string, name: string): Dump {
  const { top, document } = readJson(text, name);
  const sections = top.object([]);
  const present = (key: string) => sections.nullable(key);
  if (present("workloads") === null && present("services") === null) {
    throw new DumpError(`${name}: this is no config dump: it has neither workloads nor services`);
  }
  const staged = readStaged(present("stagedServices"));
  const workloads = valuesOf(present("workloads")).map(readDumpedWorkload);
  const services = valuesOf(present("services")).map(readService);
  const settings = readSettings(present("config"));
  const pods = present("workloadState");
  const inbound = pods === null ? null : pods.entries().flatMap(([, pod]) => readInbound(pod));
  document.unknownKeys = "refused";
  const policies = valuesOf(present("policies")).map(readPolicy);
  return {
    changes: [...workloads.map((each) => withStaged(each, staged)), ...policies, ...services],
    settings,
    inbound,
  };
}

/** Some proxies dump maps where others dump lists; the values contain what the keys say. */
function valuesOf(section: Field | null): readonly Field[] {
  if (section === null) return [];
  return section.isMap ? section.entries().map(([, value]) => value) : section.list();
}

/** Endpoints of services in the dump are in the service; those of missing services are added to their workload. */
function withStaged(workload: Workload, staged: Memberships): MeshChange {
  return { kind: "workload", workload, endpoints: staged.get(workload.uid) ?? new Map() };
}

function readStaged(section: Field | null): Memberships {
  const staged: Memberships = new Map();
  for (const [text, endpoints, where] of section?.entries() ?? []) {
    const key = parseNamespacedHostname(text)?.key ?? where.reject(`${text} is no namespace/hostname`);
    for (const [, field] of endpoints.entries()) {
      const { workloadUid, ports } = readEndpoint(field);
      const known = staged.get(workloadUid);
      if (known === undefined) staged.set(workloadUid, new Map([[key, ports]]));
      else known.set(key, ports);
    }
  }
  return staged;
}

/** A pod that is not served has no connections. */
function readInbound(pod: Field): readonly DumpedCall[] {
  const connections = pod.object([]).nullable("connections")?.object([]);
  return connections?.nullable("inbound")?.list().map((entry) => {
    const fields = entry.object([]);
    const address = (key: string) => fields.required(key).parsed("an address and port", parseSocketAddress);
    const isHbone = fields.required("protocol").string() !== "TCP";
    const identity = fields.nullable("identity")?.parsed("a SPIFFE id", parseSpiffeId) ?? null;
    return { from: address("src"), to: address("actualDst"), isHbone, identity };
  }) ?? [];
}

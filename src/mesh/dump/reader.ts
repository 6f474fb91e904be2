/**
 * A config dump (`docs/spec/config-admin.md` 4.4) back to what it was made from: the changes that make a mesh of it, and
 * the settings of its proxy. Ours and the native proxy's are read alike.
 *
 * Strict: a value that does not fit is an error with its path. Keys that nobody knows are skipped, since newer proxies
 * say more, except in policies: a condition that is not understood would turn a verdict around.
 *
 * A dump is sorted, so the order in which things arrived is lost; where two workloads claim an address with equal rank,
 * or services of one rank and different names share one, the choice may come out differently than in the proxy.
 */
import type { MeshChange } from "../model/changes.ts";
import { DumpError, readJson } from "./fields.ts";
import { readSettings } from "./settings.ts";
import type { ExplainSettings } from "../explain/explanation.ts";
import type { Field } from "../static_file/field.ts";
import {
  type NamespacedHostname,
  parseNamespacedHostname,
  type PortMap,
  type Workload,
  type WorkloadUid,
} from "../model/model.ts";
import { readPolicy } from "../static_file/policy.ts";
import { readEndpoint, readService } from "../static_file/service.ts";
import { readDumpedWorkload } from "../static_file/workload.ts";

export interface Dump {
  /** One batch. */
  readonly changes: readonly MeshChange[];
  readonly settings: ExplainSettings;
}

type Memberships = Map<WorkloadUid, Map<NamespacedHostname, PortMap>>;

/** `name` is what messages call it, a path. Throws {@link DumpError}. */
export function readDump(text: string, name: string): Dump {
  const { top, source } = readJson(text, name);
  const sections = top.object([]);
  const present = (key: string) => sections.nullable(key);
  if (present("workloads") === null && present("services") === null) {
    throw new DumpError(`${name}: this is no config dump: it has neither workloads nor services`);
  }
  const staged = readStaged(present("stagedServices"));
  const workloads = valuesOf(present("workloads")).map(readDumpedWorkload);
  const services = valuesOf(present("services")).map(readService);
  const settings = readSettings(present("config"));
  source.unknownKeys = "refused";
  const policies = valuesOf(present("policies")).map(readPolicy);
  return { changes: [...workloads.map((each) => joined(each, staged)), ...policies, ...services], settings };
}

/** Some proxies dump maps where others have lists; the keys say nothing that is not in the values. */
function valuesOf(section: Field | null): readonly Field[] {
  if (section === null) return [];
  return section.isMap ? section.entries().map(([, value]) => value) : section.list();
}

/** Endpoints whose service is known stand in the service; those that wait for one come with their workload. */
function joined(workload: Workload, staged: Memberships): MeshChange {
  return { kind: "workload", workload, endpoints: staged.get(workload.uid) ?? new Map() };
}

function readStaged(section: Field | null): Memberships {
  const staged: Memberships = new Map();
  for (const [text, endpoints, where] of section?.entries() ?? []) {
    const key = parseNamespacedHostname(text)?.key ?? where.complain(`${text} is no namespace/hostname`);
    for (const [, field] of endpoints.entries()) {
      const { workloadUid, ports } = readEndpoint(field);
      const known = staged.get(workloadUid);
      if (known === undefined) staged.set(workloadUid, new Map([[key, ports]]));
      else known.set(key, ports);
    }
  }
  return staged;
}

/** What a real istiod says about the whole mesh, read by the proxy's own decoder. */
import type { MeshChange, ServiceChange, WorkloadChange } from "../../src/mesh/model/changes.ts";
import type { Policy } from "../../src/mesh/model/model.ts";
import { MeshState } from "../../src/mesh/state/state.ts";
import { ResourceDecoder } from "../../src/xds/decode.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "../../src/xds/resources.ts";
import type { Istiod } from "../../lab/istio/istiod.ts";
import { Probe } from "./istiod_probe.ts";

export interface UnderstoodMesh {
  /** By uid. */
  readonly workloads: ReadonlyMap<string, WorkloadChange>;
  /** By `namespace/hostname`. */
  readonly services: ReadonlyMap<string, ServiceChange>;
  /** By `namespace/name`. */
  readonly policies: ReadonlyMap<string, Policy>;
  /** All of it. */
  readonly state: MeshState;
}

/** A wildcard start. Throws if the decoder refuses any resource, or warns. */
export async function listen(istiod: Istiod): Promise<UnderstoodMesh> {
  const workloads = new Map<string, WorkloadChange>();
  const services = new Map<string, ServiceChange>();
  const policies = new Map<string, Policy>();
  const state = new MeshState("node-1");
  const decoder = new ResourceDecoder(64);
  await using probe = new Probe({ target: istiod.plain });
  for (const type of [ADDRESS_TYPE, AUTHORIZATION_TYPE] as const) {
    probe.begin(type);
    for (const { name, resource } of (await probe.next()).resources) {
      const decoded = decoder.decode(type, name, resource?.value ?? new Uint8Array());
      if (!decoded.ok) throw new Error(`${name} was refused: ${decoded.reason}`);
      if (decoded.warning !== null) throw new Error(decoded.warning);
      state.apply([decoded.change]);
      keep(name, decoded.change);
    }
  }
  return { workloads, services, policies, state };

  function keep(name: string, change: MeshChange): void {
    if (change.kind === "workload") workloads.set(name, change);
    else if (change.kind === "service") services.set(name, change);
    else if (change.kind === "policy") policies.set(name, change.policy);
  }
}

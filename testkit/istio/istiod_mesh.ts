/** The whole mesh of a real istiod, read by the proxy's decoder. */
import type { MeshChange, ServiceChange, WorkloadChange } from "../../src/mesh/model/changes.ts";
import type { Policy } from "../../src/mesh/model/model.ts";
import { MeshState } from "../../src/mesh/state/state.ts";
import { ResourceDecoder } from "../../src/xds/decode.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "../../src/xds/resources.ts";
import type { Istiod } from "../../lab/istio/istiod.ts";
import { Probe } from "./istiod_probe.ts";

/** All resources of istiod. */
export interface DecodedMesh {
  /** By uid. */
  readonly workloads: ReadonlyMap<string, WorkloadChange>;
  /** By `namespace/hostname`. */
  readonly services: ReadonlyMap<string, ServiceChange>;
  /** By `namespace/name`. */
  readonly policies: ReadonlyMap<string, Policy>;
  /** All of them, applied. */
  readonly state: MeshState;
}

/** Subscribes to everything and reads the first responses. Rejected if the decoder rejects a resource or warns of one. */
export async function readMesh(istiod: Istiod): Promise<DecodedMesh> {
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
      add(name, decoded.change);
    }
  }
  return { workloads, services, policies, state };

  function add(name: string, change: MeshChange): void {
    if (change.kind === "workload") workloads.set(name, change);
    else if (change.kind === "service") services.set(name, change);
    else if (change.kind === "policy") policies.set(name, change.policy);
  }
}

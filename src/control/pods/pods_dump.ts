/** `workloadState` of `/config_dump`: the pods by uid (`docs/spec/inpod-dns.md` A1.13). */
import type { PodInstance } from "../../dataplane/pod_messages.ts";
import type { Difference, InstanceState } from "../../inpod/audit.ts";
import type { PodState } from "../../inpod/pod_registry.ts";
import { jsonText } from "../../mesh/dump/json.ts";
import type { JsonObject } from "../../mesh/dump/objects.ts";
import type { DumpedConnections } from "../../proxy/connection_dump.ts";

export interface PodsDumpSources {
  readonly pods: readonly PodState[];
  readonly instances: readonly InstanceState[];
  /** The differences that the last audit found. */
  readonly differences: readonly Difference[];
  connections(instance: PodInstance): Promise<DumpedConnections>;
}

/** The text of the section in pieces, indented by one level. The connections of a pod are requested when it is written. */
export async function* dumpPods(sources: PodsDumpSources): AsyncGenerator<string, void, undefined> {
  const pods = [...sources.pods].sort((a, b) => a.uid < b.uid ? -1 : 1);
  let before = "{";
  for (const pod of pods) {
    yield `${before}\n    ${JSON.stringify(pod.uid)}: ${jsonText(await podEntry(pod, sources), 2)}`;
    before = ",";
  }
  yield before === "{" ? "{}" : "\n  }";
}

async function podEntry({ uid, workload, state, namespace }: PodState, sources: PodsDumpSources): Promise<JsonObject> {
  const serving = sources.instances.find((each) => each.uid === uid && each.namespace === namespace);
  const found = sources.differences.filter((difference) => difference.uid === uid).map(({ text }) => text);
  return {
    ...(state === "Up" && serving !== undefined
      ? { connections: plain(await sources.connections(serving.instance as PodInstance)) }
      : {}),
    // The native proxy's dump has no such key, so it is left out where there is nothing to show.
    ...(found.length === 0 ? {} : { differences: found }),
    info: { ...workload },
    state,
  };
}

function plain({ inbound, outbound }: DumpedConnections): JsonObject {
  return { inbound: inbound.map((each) => ({ ...each })), outbound: outbound.map((each) => ({ ...each })) };
}

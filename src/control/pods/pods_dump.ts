/** `workloadState` of `/config_dump`: the pods by uid (`docs/spec/inpod-dns.md` A1.13). */
import type { PodInstance } from "../../dataplane/pod_messages.ts";
import type { Difference, InstanceState } from "../../inpod/audit.ts";
import type { PodState } from "../../inpod/pod_registry.ts";
import { jsonText } from "../../mesh/dump/json.ts";
import type { JsonObject } from "../../mesh/dump/objects.ts";
import type { DumpDirection, DumpedConnection } from "../../proxy/connection_dump.ts";

export interface PodsDumpSources {
  readonly pods: readonly PodState[];
  readonly instances: readonly InstanceState[];
  /** The differences that the last audit found. */
  readonly differences: readonly Difference[];
  /** The connections of a pod, page by page. */
  connections(instance: PodInstance, direction: DumpDirection): AsyncIterable<readonly DumpedConnection[]>;
}

const DIRECTIONS: readonly DumpDirection[] = ["inbound", "outbound"];

/** The text of the section in pieces, indented by one level. The connections of a pod are requested when it is written. */
export async function* dumpPods(sources: PodsDumpSources): AsyncGenerator<string, void, undefined> {
  const pods = [...sources.pods].sort((a, b) => a.uid < b.uid ? -1 : 1);
  let before = "{";
  for (const pod of pods) {
    yield `${before}\n    ${JSON.stringify(pod.uid)}: {`;
    yield* podPieces(pod, sources);
    yield "\n    }";
    before = ",";
  }
  yield before === "{" ? "{}" : "\n  }";
}

async function* podPieces(
  { uid, workload, state, namespace }: PodState,
  sources: PodsDumpSources,
): AsyncGenerator<string, void, undefined> {
  const serving = sources.instances.find((each) => each.uid === uid && each.namespace === namespace);
  const found = sources.differences.filter((difference) => difference.uid === uid).map(({ text }) => text);
  if (state === "Up" && serving !== undefined) {
    yield `\n      "connections": {`;
    for (const direction of DIRECTIONS) {
      yield `${direction === "inbound" ? "" : ","}\n        "${direction}": `;
      yield* listPieces(sources.connections(serving.instance as PodInstance, direction));
    }
    yield "\n      },";
  }
  // The native proxy's dump has no such key, so it is left out where there is nothing to show.
  const rest: JsonObject = { ...(found.length === 0 ? {} : { differences: found }), info: { ...workload }, state };
  // Without its brackets.
  yield jsonText(rest, 2).slice(1, -"\n    }".length);
}

async function* listPieces(pages: AsyncIterable<readonly DumpedConnection[]>): AsyncGenerator<string, void, undefined> {
  let before = "[";
  for await (const page of pages) {
    for (const entry of page) {
      yield `${before}\n          ${jsonText({ ...entry, tls: entry.tls === null ? null : { ...entry.tls } }, 5)}`;
      before = ",";
    }
  }
  yield before === "[" ? "[]" : "\n        ]";
}

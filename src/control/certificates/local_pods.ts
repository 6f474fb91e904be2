/** The pods of this node to which certificates may be issued, as the CNI agent has described them. */
import type { LocalPod } from "../../authorities/spire/local_pods.ts";
import type { Pod, PodHost } from "../../inpod/pod.ts";

interface LocalPodEvents {
  /** The pod is not served any more; no certificate will be requested on its behalf. */
  onGone(uid: string): void;
}

interface Known {
  readonly pod: LocalPod;
  /** A pod that moves to another namespace is served twice for a while. */
  servings: number;
}

/** A pod is removed when the last of its servings stops. */
export class LocalPods {
  readonly #events: LocalPodEvents;
  readonly #known = new Map<string, Known>();

  constructor(events: LocalPodEvents) {
    this.#events = events;
  }

  find(uid: string): LocalPod | null {
    return this.#known.get(uid)?.pod ?? null;
  }

  /** Wraps `host`: its pods can be found here from the start of their serving until its stop. */
  follow(host: PodHost): PodHost {
    return {
      serve: (pod, events) => {
        const leave = this.#enter(pod);
        const serving = host.serve(pod, {
          onStarted: () => events.onStarted(),
          onFailed: (reason) => events.onFailed(reason),
          onEnded: () => {
            leave();
            events.onEnded();
          },
        });
        return {
          stop: (mode) => {
            leave();
            serving.stop(mode);
          },
        };
      },
    };
  }

  #enter({ uid, workload: { namespace, name }, namespace: { identity } }: Pod): () => void {
    const servings = (this.#known.get(uid)?.servings ?? 0) + 1;
    this.#known.set(uid, { pod: { uid, namespace, name, networkNamespace: identity }, servings });
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      const known = this.#known.get(uid)!;
      if (--known.servings > 0) return;
      this.#known.delete(uid);
      this.#events.onGone(uid);
    };
  }
}

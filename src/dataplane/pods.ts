/** The pods that one worker serves in shared mode, by the orders of main (`docs/spec/inpod-dns.md` A1.5, A2). */
import type { PodProxy } from "../proxy/pod_proxy.ts";
import type { DataPlane } from "./data_plane.ts";
import type { PodAnswer, PodInstance, PodOrder } from "./pods_messages.ts";

export class Pods {
  readonly #plane: DataPlane;
  readonly #answer: (answer: PodAnswer) => void;
  readonly #pods = new Map<PodInstance, PodProxy>();

  constructor(plane: DataPlane, answer: (answer: PodAnswer) => void) {
    this.#plane = plane;
    this.#answer = answer;
  }

  receive(order: PodOrder): void {
    switch (order.kind) {
      case "serve":
        return this.#serve(order);
      case "stop":
        return this.#stop(order);
      default:
        order satisfies never;
    }
  }

  #serve({ instance, workload, namespace }: Extract<PodOrder, { kind: "serve" }>): void {
    try {
      this.#pods.set(instance, this.#plane.startPod(workload, { namespace }));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return this.#answer({ kind: "failed", instance, reason });
    }
    this.#answer({ kind: "started", instance });
  }

  #stop({ instance, mode }: Extract<PodOrder, { kind: "stop" }>): void {
    const pod = this.#pods.get(instance);
    if (pod === undefined) return;
    this.#plane.stopPod(pod, mode, () => {
      // An immediate stop after a graceful one is told of the end too.
      if (this.#pods.delete(instance)) this.#answer({ kind: "ended", instance });
    });
  }
}

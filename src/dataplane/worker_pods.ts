/** The pods that one worker serves in shared mode, as main orders (`docs/spec/inpod-dns.md` A1.5, A2). */
import type { WorkloadName } from "../config/config.ts";
import type { NamespaceState } from "../net/namespace_state.ts";
import type { DumpedPage } from "../proxy/connection_dump.ts";
import type { PodProxy } from "../proxy/pod_proxy.ts";
import type { DataPlane } from "./data_plane.ts";
import type { PodAnswer, PodInstance, PodOrder, PodReport } from "./pod_messages.ts";

interface ServedPod {
  readonly proxy: PodProxy;
  /** Main's descriptor of its namespace. */
  readonly namespace: number;
}

/** What {@link WorkerPods} needs. */
interface PodsParts {
  readonly plane: DataPlane;
  answer(answer: PodAnswer): void;
  /** The state of the namespace of a descriptor; null where the descriptor is none of a namespace. */
  inspectNamespace(descriptor: number): NamespaceState | null;
}

const NO_CONNECTIONS: DumpedPage = { entries: [], next: null };

/** Carries out the orders of main. */
export class WorkerPods {
  readonly #parts: PodsParts;
  readonly #pods = new Map<PodInstance, ServedPod>();

  constructor(parts: PodsParts) {
    this.#parts = parts;
  }

  receive(order: PodOrder): void {
    switch (order.kind) {
      case "serve":
        return this.#serve(order);
      case "serve-self":
        return this.#serveSelf(order.workload);
      case "stop":
        return this.#stop(order);
      case "report":
        return this.#parts.answer({ kind: "report", request: order.request, pods: this.#reports() });
      case "connections":
        return this.#parts.answer({
          kind: "connections",
          request: order.request,
          page: this.#pods.get(order.instance)?.proxy.dumpConnections(order.direction, order.after) ?? NO_CONNECTIONS,
        });
      default:
        order satisfies never;
    }
  }

  #serve({ instance, uid, workload, namespace, announce }: Extract<PodOrder, { kind: "serve" }>): void {
    try {
      const proxy = this.#parts.plane.startPod(workload, { namespace, uid }, announce);
      this.#pods.set(instance, { proxy, namespace });
    } catch (error) {
      return this.#parts.answer({ kind: "failed", instance, reason: this.#reason(error, namespace) });
    }
    this.#parts.answer({ kind: "started", instance });
  }

  #serveSelf(workload: WorkloadName): void {
    try {
      this.#parts.plane.startSelf(workload);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#parts.answer({ kind: "self-failed", reason });
    }
  }

  #reason(error: unknown, namespace: number): string {
    const text = error instanceof Error ? error.message : String(error);
    if (this.#parts.inspectNamespace(namespace) !== null) return text;
    return `cannot enter the pod's network namespace (is the agent's descriptor one?): ${text}`;
  }

  #stop({ instance, mode }: Extract<PodOrder, { kind: "stop" }>): void {
    const pod = this.#pods.get(instance);
    if (pod === undefined) return;
    this.#parts.plane.stopPod(pod.proxy, mode, () => {
      // After a graceful stop and an immediate one both are called back.
      if (this.#pods.delete(instance)) this.#parts.answer({ kind: "ended", instance });
    });
  }

  #reports(): PodReport[] {
    return [...this.#pods].map(([instance, { proxy, namespace }]) => {
      const home = this.#parts.inspectNamespace(namespace);
      const faults = this.#parts.plane.inspectListeners(proxy).flatMap(({ kind, listening, namespace: where }) => {
        if (!listening) return [`a ${kind} does not listen`];
        const strange = home !== null && where !== null && home.cookie !== null && where !== home.cookie;
        return strange ? [`a ${kind} stands in another namespace`] : [];
      });
      return { instance, namespace: home?.identity ?? null, faults };
    });
  }
}

/**
 * `identities.ts [LIBRARY]`: a thousand pods that need certificates at once, from a scripted SPIRE agent in this
 * process, by the proxy's own certificate manager and a worker's loop with handshakes to make. Prints
 * {@link IdentityFigures}.
 */
import { Certificates } from "../src/control/certificates/certificates.ts";
import { LocalPods } from "../src/control/certificates/local_pods.ts";
import { CertificateHealth } from "../src/identity/certificate_health.ts";
import type { Pod, PodUid } from "../src/inpod/pod.ts";
import { SYSTEM_FILES } from "../src/config/files.ts";
import { parseConfig } from "../src/config/parse_config.ts";
import type { CertificateSubject } from "../src/identity/authority.ts";
import { workloadId } from "../src/identity/spiffe_id.ts";
import { wake } from "../src/os/wake.ts";
import { Metrics } from "../src/telemetry/metrics.ts";
import { testLog } from "../src/telemetry/testkit/log.ts";
import { ScriptedAgent } from "../testkit/spire/agent.ts";
import { tempDir } from "../lab/temp_dir.ts";
import type { FromIdentityWorker, LoopReport } from "./identities_worker.ts";

/** The figures. */
export interface IdentityFigures {
  /** ms until the worker had all certificates. */
  readonly issued: number;
  /** Most attestations in flight at the agent. */
  readonly most: number;
  /** ms of the longest turn while all were renewed, and the CPU time of the thread in it. */
  readonly turn: number;
  readonly turnCpu: number;
}

const PODS = 1000;
/** Selectors like those of a real agent, without the hash of an executable. */
const ATTESTATION_MILLIS = 2;

const uids = Array.from({ length: PODS }, (_, index) => `uid-${index}` as PodUid);
const subjects: readonly CertificateSubject[] = uids.map((uid) => ({
  id: workloadId("cluster.local", "shop", "app")!,
  workloadUid: uid,
}));

using folder = tempDir("zi-");
const agent = await ScriptedAgent.start(`${folder.path}/admin.sock`, "cluster.local");
agent.attestation = ATTESTATION_MILLIS;
agent.addAccount("shop", "app");
const variables = {
  SPIRE_ENABLED: "true",
  SPIRE_ADMIN_ENDPOINT_SOCKET: `unix://${agent.path}`,
  SPIRE_ATTESTATION: "pod_selectors",
};
const worker = new Worker(import.meta.resolve("./identities_worker.ts"), { type: "module" });
const arrivals = { count: 0, wanted: PODS, all: Promise.withResolvers<void>() };
const reported = Promise.withResolvers<LoopReport>();
const ready = Promise.withResolvers<number>();
worker.onmessage = ({ data }: MessageEvent<FromIdentityWorker>) => {
  switch (data.kind) {
    case "ready":
      return ready.resolve(data.wake);
    case "have":
      arrivals.count += data.count;
      if (arrivals.count >= arrivals.wanted) arrivals.all.resolve();
      return;
    case "report":
      return reported.resolve(data.report);
    default:
      return data satisfies never;
  }
};
worker.postMessage({ kind: "begin", library: Deno.args[0] });
const descriptor = await ready.promise;
const send = (message: unknown) => {
  worker.postMessage(message);
  wake(descriptor);
};
const localPods = new LocalPods({ onGone: (uid) => certificates.podGone(uid) });
const certificates = await Certificates.open({
  config: parseConfig(variables, SYSTEM_FILES, 1),
  pods: localPods,
  health: new CertificateHealth(),
  log: testLog({ filter: "warn" }).log,
  metrics: new Metrics(),
  send,
  onIssued() {},
});
enrol();

const start = performance.now();
for (const subject of subjects) certificates.request(subject);
await arrivals.all.promise;
const issued = performance.now() - start;

send({ kind: "measure", subjects });
// All certificates arrive in one push, which is the worst case: a real server signs them one after the other.
Object.assign(arrivals, { count: 0, all: Promise.withResolvers<void>() });
agent.rotate();
await arrivals.all.promise;
send({ kind: "report" });
const { turn, turnCpu } = await reported.promise;
console.log(JSON.stringify({ issued, most: agent.mostAttesting, turn, turnCpu } satisfies IdentityFigures));
folder[Symbol.dispose]();
Deno.exit(0);

/** Enters the pods, as when the CNI agent announces them. */
function enrol(): void {
  const host = localPods.follow({ serve: () => ({ stop() {} }) });
  const namespace = { identity: "", descriptor: -1, retain() {}, release() {} };
  for (const uid of uids) {
    const pod: Pod = { uid, workload: { namespace: "shop", name: `app-${uid}`, serviceAccount: "app" }, namespace };
    host.serve(pod, { onStarted() {}, onFailed() {}, onEnded() {} });
  }
}

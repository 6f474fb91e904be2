/** A soak run: load and changes for some time, samples meanwhile, and what is left when the load has ended. */
import type { Program } from "../../lab/program.ts";
import { busySeconds } from "../cpu.ts";
import type { Call } from "./calls.ts";
import type { Tally } from "./caller.ts";
import { callsBySocks, callsFromOutside, callsOfClient, callsOfFar } from "./load.ts";
import { leftOf } from "./figures.ts";
import type { Outcome } from "./outcome.ts";
import { PodChurn } from "./pod_churn.ts";
import { ProxySamples } from "./sampler.ts";
import type { Scene } from "./scene.ts";

const SAMPLE_SECONDS = 5;
/** Samples between two of those for which the proxy is asked. */
const WHOLE_EVERY = 3;
/** After the load, idle HBONE connections stay for 15 s (`scene.ts`); nothing may be left by then. */
const REST_SECONDS = 120;
/** A caller reports every five seconds. */
const SILENT_MS = 120_000;

/** Runs the load for `minutes`. `rate`: how many times the usual number of connections. `say`: shows progress. */
export async function soak(
  scene: Scene,
  { minutes, rate }: { readonly minutes: number; readonly rate: number },
  say: (text: string) => void,
): Promise<Outcome> {
  const proxies = scene.proxies.map((proxy) => new ProxySamples(proxy, scene.cluster.folder));
  const began = performance.now();
  const now = () => (performance.now() - began) / 1000;
  const sample = async (whole: boolean) => {
    for (const each of proxies) await each.take(now(), whole);
  };
  await sample(true);
  const before = proxies.map(({ last }) => last);
  const cpu = cpuOf(proxies);
  const load = new Load(scene, rate);
  const changes = load.begin();
  // A failure while samples are taken is thrown when they have been; that of a sample goes first.
  changes.catch(() => {});
  for (let count = 1; now() < minutes * 60; count++) {
    await Promise.race([sleep(count * SAMPLE_SECONDS - now()), changes]);
    await sample(count % WHOLE_EVERY === 0);
    if (count % 12 === 0) say(`${Math.round(now() / 60)} min: ${load.summary()}`);
  }
  load.summary();
  const seconds = now();
  const used = cpuOf(proxies);
  const calls = await load.end();
  await changes;
  const isRestored = () =>
    proxies.every(({ last }, index) => leftOf({ before: before[index]!, after: last }).every(isOk));
  for (const end = now() + REST_SECONDS; now() < end && !isRestored(); await sleep(SAMPLE_SECONDS)) await sample(true);
  const measured = proxies.map((samples, index) => ({
    name: samples.of.name,
    fullCollections: samples.of.fullCollections,
    cores: (used[index]! - cpu[index]!) / seconds,
    rest: { before: before[index]!, after: samples.last },
    errors: samples.errors,
    points: (...range: Parameters<ProxySamples["points"]>) => samples.points(...range),
  }));
  return { seconds, proxies: measured, calls };
}

/** The callers and everything that changes. */
class Load {
  readonly #scene: Scene;
  readonly #pods: PodChurn;
  readonly #callers: readonly Caller[];

  constructor(scene: Scene, rate: number) {
    const { cluster, addresses } = scene;
    this.#scene = scene;
    this.#pods = cluster.use(new PodChurn(scene.mesh, cluster.nodes, cluster.pod("guest")));
    const places = [
      [cluster.pod("client").namespace, callsOfClient(addresses)],
      [cluster.pod("far").namespace, callsOfFar(addresses)],
      [cluster.outside.namespace, callsFromOutside(addresses)],
      [scene.lone[0]!.namespace, callsBySocks(scene.loneServer)],
    ] as const;
    this.#callers = places.map(([namespace, usual]) => {
      const calls = usual.map((call): Call => ({ ...call, perSecond: call.perSecond * rate }));
      return new Caller(scene.start("bench/soak/caller.ts", [JSON.stringify(calls)], namespace), calls);
    });
  }

  /** Resolves when {@link end} was called and all changes have ended; rejects when one of them fails. */
  async begin(): Promise<void> {
    await Promise.all([this.#scene.mesh.run(), this.#pods.run()]);
  }

  /** Throws where a caller does not report any more. */
  summary(): string {
    const all = this.#callers.flatMap((caller) => Object.values(caller.tallies()));
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
    return `${sum(all.map(({ succeeded }) => succeeded))} connections, ` +
      `${sum(all.map(({ failed }) => failed))} failed or were cut`;
  }

  async end(): Promise<Outcome["calls"]> {
    const calls = await Promise.all(this.#callers.map((caller) => caller.end()));
    this.#pods.stop();
    this.#scene.mesh.stop();
    return Object.assign({}, ...calls);
  }
}

/** The program that makes the connections from one place. */
class Caller {
  #tallies: Readonly<Record<string, Tally>> = {};
  #reported = performance.now();

  constructor(readonly program: Program, readonly calls: readonly Call[]) {
    program.watch((line) => {
      if (!line.startsWith("{")) return;
      this.#tallies = JSON.parse(line);
      this.#reported = performance.now();
    });
  }

  tallies(): Readonly<Record<string, Tally>> {
    if (performance.now() - this.#reported < SILENT_MS) return this.#tallies;
    throw new Error(`a caller does not report any more: ${this.program.printed.slice(-5).join("\n")}`);
  }

  async end(): Promise<Outcome["calls"]> {
    const { code, output } = await this.program.stop();
    if (code !== 0) throw new Error(`a caller ended with ${code}: ${output.split("\n").slice(-5).join("\n")}`);
    return Object.fromEntries(this.calls.flatMap(({ name, mayFail }) => {
      const tally = this.#tallies[name];
      return tally === undefined ? [] : [[name, { ...tally, mayFail: mayFail ?? false }]];
    }));
  }
}

function isOk({ ok }: { readonly ok: boolean }): boolean {
  return ok;
}

function cpuOf(proxies: readonly ProxySamples[]): number[] {
  return proxies.map(({ of }) => busySeconds(of.proxy.pid));
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, seconds) * 1000));
}

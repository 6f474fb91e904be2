/** The interface of an attack, and attacks that send one chunk after another. */
import type { AppPorts } from "./apps.ts";
import { Peer, type PeerBehaviour, type Site } from "./peer.ts";

/** The proxy under attack and the applications behind it. */
export interface Scene {
  readonly site: Site;
  readonly apps: AppPorts;
}

/** One way to misuse a connection. */
export interface Attack {
  readonly id: string;
  /** Row of docs/spec/observed.md, or the number of the advisory. */
  readonly row: string;
  /** Description for the test's name. */
  readonly what: string;
  /** The debug text of the GOAWAY that closes the attacker's connection; null: the proxy allows this traffic. */
  readonly closeReason: RegExp | null;
  /** Opens one connection and attacks on it until the proxy closes it or `until` is aborted. Returns the connection. */
  run(scene: Scene, until: AbortSignal): Promise<Peer>;
}

/** `ip:port` of an application, for `:authority` of a CONNECT. */
export function authority({ site, apps }: Scene, app: keyof AppPorts): string {
  return `${site.host}:${apps[app]}`;
}

/** An attack by chunks of frames. */
interface Flood extends Omit<Attack, "run"> {
  readonly behaviour?: PeerBehaviour;
  /** Chunks a second; default: as many as the socket takes. */
  readonly perSecond?: number;
  /** Most chunks on one connection; default: no limit. */
  readonly chunks?: number;
  /** Opens the streams that the attack needs and returns the function that makes the next chunk. */
  prepare(peer: Peer, scene: Scene): (() => Uint8Array) | Promise<() => Uint8Array>;
}

/** Makes an attack that sends one chunk after another until the connection is closed. */
export function flood(of: Flood): Attack {
  const { id, row, what, closeReason, behaviour, perSecond, chunks = Infinity } = of;
  return {
    id,
    row,
    what,
    closeReason,
    async run(scene, until) {
      const peer = await Peer.connect(scene.site, behaviour);
      const next = await of.prepare(peer, scene);
      for (let i = 0; i < chunks && !peer.closed && peer.goAway === null && !until.aborted; i++) {
        peer.send(next());
        await (perSecond === undefined ? peer.drained(until) : pause(1000 / perSecond, until));
        // The socket reads only between two tasks of the event loop.
        await new Promise((resume) => setTimeout(resume, 0));
      }
      return peer;
    },
  };
}

/** Waits `ms` milliseconds, or until `until` is aborted. */
export function pause(ms: number, until: AbortSignal): Promise<void> {
  if (until.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      until.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    until.addEventListener("abort", done);
  });
}

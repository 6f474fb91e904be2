/** What an attack is, and how it is carried out. */
import type { AppPorts } from "./apps.ts";
import { type Manners, Peer, type Site } from "./peer.ts";

export interface Scene {
  readonly site: Site;
  readonly apps: AppPorts;
}

export interface Attack {
  readonly id: string;
  /** Row of docs/spec/observed.md, or the advisory. */
  readonly row: string;
  readonly what: string;
  /** What GOAWAY says when the attacker is cut; null: it stays within what honest peers may do. */
  readonly breach: RegExp | null;
  /** Makes one connection, and misbehaves on it until it is cut or `until` says stop. */
  run(scene: Scene, until: AbortSignal): Promise<Peer>;
}

/** `ip:port`, as CONNECT wants it. */
export function authority({ site, apps }: Scene, app: keyof AppPorts): string {
  return `${site.host}:${apps[app]}`;
}

interface Flood extends Omit<Attack, "run"> {
  readonly manners?: Manners;
  /** Chunks a second; as many as are taken where missing. */
  readonly perSecond?: number;
  /** Chunks of one connection at most. */
  readonly chunks?: number;
  /** Opens what is needed, and returns what makes the next chunk. */
  prepare(peer: Peer, scene: Scene): (() => Uint8Array) | Promise<() => Uint8Array>;
}

/** An attack that sends chunk after chunk on a connection. */
export function flood(of: Flood): Attack {
  const { id, row, what, breach, manners, perSecond, chunks = Infinity } = of;
  return {
    id,
    row,
    what,
    breach,
    async run(scene, until) {
      const peer = await Peer.connect(scene.site, manners);
      const next = await of.prepare(peer, scene);
      for (let i = 0; i < chunks && !peer.closed && peer.goAway === null && !until.aborted; i++) {
        peer.send(next());
        await (perSecond === undefined ? peer.drained(until) : pause(1000 / perSecond, until));
        // Output is only looked at between two tasks.
        await new Promise((resume) => setTimeout(resume, 0));
      }
      return peer;
    },
  };
}

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

/** A proxy under attack: a process of its own for the workload at one loopback address, with its applications. */
import { credential, sharedCa } from "../credentials.ts";
import { identityOf, meshText } from "../../lab/mesh.ts";
import { Proxy } from "../../lab/proxy.ts";
import { nodeSettings } from "../../lab/settings.ts";
import { tempDir } from "../../lab/temp_dir.ts";
import { Apps } from "./apps.ts";
import type { Scene } from "./attack.ts";
import type { Site } from "./peer.ts";
import { readSystemFile } from "../../src/os/system_files.ts";

/**
 * Environment that limits the proxy's heap to 40 MB, of which it uses 14 MB at rest, so that memory above that limit is
 * in use and not garbage. Without the limit the heap grows to 60 to 90 MB before garbage is collected.
 */
export const SMALL_HEAP = { DENO_V8_FLAGS: "--max-old-space-size=40" } as const;

/** Settings of the proxy under attack. */
interface TargetOptions {
  /** Additional environment variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** Limit of open descriptors (`ulimit -n`). */
  readonly descriptors?: number;
}

/** The proxy and its applications. */
export class Target implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;

  private constructor(
    stack: AsyncDisposableStack,
    readonly proxy: Proxy,
    readonly apps: Apps,
    readonly site: Site,
    /** Number of open descriptors without connections. */
    readonly atRest: number,
  ) {
    this.#stack = stack;
  }

  /** Starts everything at the loopback address `ip`. */
  static async start(ip: string, options: TargetOptions = {}): Promise<Target> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(tempDir());
    const apps = stack.use(await Apps.start(ip));
    const mesh = meshText([{ name: "server", ips: [ip] }]);
    const settings = nodeSettings({ name: "server", ip, mesh, folder: folder.path }, options.env);
    const limit = `ulimit -n ${options.descriptors}; exec "$@"`;
    const before = options.descriptors === undefined ? [] : ["sh", "-c", limit, "sh"];
    const proxy = stack.use(await Proxy.ready(settings, { before }));
    const { port } = await proxy.place("inbound");
    const credentials = credential(sharedCa(folder.path), identityOf("attacker"));
    return new Target(stack.move(), proxy, apps, { host: ip, port, credentials }, proxy.descriptors);
  }

  get scene(): Scene {
    return { site: this.site, apps: this.apps.ports };
  }

  /** `ip:port` of an application, for `:authority` of a CONNECT. */
  authority(app: keyof Apps["ports"]): string {
    return `${this.site.host}:${this.apps.ports[app]}`;
  }

  /** Resident memory of the proxy in bytes. */
  memory(): number {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readSystemFile(`/proc/${this.proxy.pid}/status`))?.[1]) * 1024;
  }

  /** CPU time of the proxy so far, in milliseconds. */
  cpu(): number {
    const [, fields = ""] = /\) (.*)/.exec(readSystemFile(`/proc/${this.proxy.pid}/stat`)) ?? [];
    const [user, system] = fields.split(" ").slice(11, 13).map(Number);
    return ((user ?? NaN) + (system ?? NaN)) * 10;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

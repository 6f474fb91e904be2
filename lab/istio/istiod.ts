/** A real istiod (`tests/peers/istiod`) as a process, and the cluster it believes in. */
import { existsSync } from "node:fs";
import { BuiltPeer } from "./built_peer.ts";
import { ControlSocket } from "../control_socket.ts";
import { lacks, type Needs, plan } from "../needs.ts";
import { Program } from "../program.ts";
import { tempDir } from "../temp_dir.ts";

/** What `deno task interop:istiod` builds. */
export const ISTIOD = new BuiltPeer("istiod");

export interface IstiodOptions {
  /** YAML documents that are there when istiod starts. */
  readonly objects: string;
  /** Address of both ports, 127.0.0.1 by default. An address that nobody else uses keeps its ports over a restart. */
  readonly hostname?: string;
  /** A network namespace to run in. */
  readonly namespace?: string;
  /** How long istiod collects changes, such as `100ms`, its own default. Here by default not at all. */
  readonly debounce?: string;
  /** Age at which connections are ended, such as `1s`, with one second more for streams. Default: half an hour. */
  readonly maxAge?: string;
  /** Text of a MeshConfig. */
  readonly mesh?: string;
  /** Features of istiod, by their environment variables. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A stream as istiod sees it. */
export interface IstiodClient {
  readonly node: string;
  readonly address: string;
  /** By type URL. */
  readonly watches: Readonly<Record<string, IstiodWatch>>;
}

export interface IstiodWatch {
  readonly wildcard: boolean;
  readonly names: readonly string[] | null;
  /** Nonces of the last response and of the last one acknowledged. */
  readonly sent: string;
  readonly acked: string;
  /** Of the last refusal that no acknowledgement followed. */
  readonly error: string;
}

interface Answer {
  readonly done?: readonly string[];
  readonly clients?: readonly IstiodClient[];
  readonly error?: string;
}

/** One life of the process, and the connection that controls it. */
interface Life {
  readonly program: Program;
  readonly control: ControlSocket;
  readonly said: { readonly plain: string; readonly tls: string; readonly root: string };
}

export class Istiod implements AsyncDisposable {
  readonly #folder = tempDir("istiod-");
  readonly #options: IstiodOptions;
  #life: Life | null = null;
  #place: Life["said"] | null = null;

  private constructor(options: IstiodOptions) {
    this.#options = options;
  }

  static async start(options: IstiodOptions): Promise<Istiod> {
    const istiod = new Istiod(options);
    try {
      await istiod.#begin([istiod.#folder.write("objects.yaml", options.objects)]);
      return istiod;
    } catch (error) {
      await istiod[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** `host:port` of xDS without TLS and without authentication. */
  get plain(): string {
    return this.#known.plain;
  }

  /** `host:port` of xDS and certificates over TLS, for those with a token. */
  get secure(): string {
    return this.#known.tls;
  }

  /** File with the root certificate: of the secure port, and of the workloads. */
  get rootFile(): string {
    return this.#known.root;
  }

  /** Creates or replaces objects. Returns their keys, such as `Pod/app/web`. */
  async apply(yaml: string): Promise<readonly string[]> {
    return (await this.#ask({ do: "apply", yaml })).done ?? [];
  }

  /** Deletes objects; of each, kind, namespace and name count. */
  async delete(yaml: string): Promise<readonly string[]> {
    return (await this.#ask({ do: "delete", yaml })).done ?? [];
  }

  async objects(): Promise<readonly string[]> {
    return (await this.#ask({ do: "objects" })).done ?? [];
  }

  async clients(): Promise<readonly IstiodClient[]> {
    return (await this.#ask({ do: "clients" })).clients ?? [];
  }

  /** Ends every stream, as istiod does to spread its clients. Returns how many there were. */
  async drop(): Promise<number> {
    return (await this.#ask({ do: "drop" })).done?.length ?? 0;
  }

  /** Ends the process without a word to its clients. The cluster stays. */
  async stop(): Promise<void> {
    const life = this.#life;
    this.#life = null;
    if (life === null) return;
    life.control[Symbol.dispose]();
    await life.program[Symbol.asyncDispose]();
  }

  /** Starts it again after {@link stop}: same ports, same root, same objects but for what changed meanwhile. */
  async startAgain(meanwhile: { readonly applied?: string; readonly deleted?: readonly string[] } = {}): Promise<void> {
    const { applied, deleted = [] } = meanwhile;
    // As `api_server.go` names them.
    for (const key of deleted) Deno.removeSync(`${this.#folder.path}/objects/${key.replaceAll("/", "_")}.json`);
    await this.#begin(applied === undefined ? [] : [this.#folder.write("applied.yaml", applied)]);
  }

  /** What it has printed in this life. */
  get printed(): readonly string[] {
    return this.#life?.program.printed ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.#folder[Symbol.dispose]();
  }

  get #known(): Life["said"] {
    if (this.#place === null) throw new Error("istiod has not started");
    return this.#place;
  }

  async #begin(objects: readonly string[]): Promise<void> {
    const { hostname = "127.0.0.1", debounce, maxAge, mesh, env, namespace } = this.#options;
    const control = `${this.#folder.path}/control`;
    if (existsSync(control)) Deno.removeSync(control);
    const flags = [`-state=${this.#folder.path}`, `-control=${control}`];
    flags.push(`-plain=${this.#place?.plain ?? `${hostname}:0`}`, `-tls=${this.#place?.tls ?? `${hostname}:0`}`);
    if (maxAge !== undefined) flags.push(`-max-age=${maxAge}`);
    if (debounce !== undefined) flags.push(`-debounce=${debounce}`);
    if (mesh !== undefined) flags.push(`-mesh=${this.#folder.write("mesh.yaml", mesh)}`);
    const program = new Program(ISTIOD.path, {
      args: [...flags, ...objects],
      ...(env === undefined ? {} : { env }),
      ...(namespace === undefined ? {} : { namespace }),
    });
    try {
      const [line] = await program.line(/^\{"plain".*\}$/);
      this.#life = { program, control: await ControlSocket.connect(control, "istiod"), said: JSON.parse(line) };
      this.#place = this.#life.said;
    } catch (error) {
      await program[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #ask(command: { readonly do: string; readonly yaml?: string }): Promise<Answer> {
    if (this.#life === null) throw new Error("istiod does not run");
    const answer = await this.#life.control.ask<Answer>(command);
    if (answer.error !== undefined) throw new Error(`istiod refused ${command.do}: ${answer.error}`);
    return answer;
  }
}

/** Whether {@link testWithIstiod} runs what needs nothing else. */
export function hasIstiod(): boolean {
  return ISTIOD.isBuilt;
}

/** Registers a test that needs istiod. Otherwise as `testNeeding`. */
export function testWithIstiod(needs: Needs, name: string, fn: (t: Deno.TestContext) => void | Promise<void>): void {
  Deno.test(plan([...lacks(needs), ...ISTIOD.lacks()], name, fn, Deno.env.get("CI") === "true"));
}

/** Runs istiod (`tests/peers/istiod`) with a simulated Kubernetes cluster. */
import { existsSync } from "node:fs";
import { BuiltPeer } from "./built_peer.ts";
import { ControlSocket } from "../control_socket.ts";
import { lacks, type Needs, plan } from "../needs.ts";
import { Program } from "../program.ts";
import { tempDir } from "../temp_dir.ts";

/** The program, built by `deno task interop:istiod`. */
export const ISTIOD = new BuiltPeer("istiod");

/** Settings of istiod. */
export interface IstiodOptions {
  /** The objects at the start, as YAML documents. */
  readonly objects: string;
  /** The address of both ports; default 127.0.0.1. With an otherwise unused address the ports stay free in a restart. */
  readonly hostname?: string;
  /** A network namespace to run in. */
  readonly namespace?: string;
  /** How long istiod collects changes, such as `100ms`, its own default. Default here: not at all. */
  readonly debounce?: string;
  /** The maximum age of connections, such as `1s`, plus one second for streams. Default: half an hour. */
  readonly maxAge?: string;
  /** The text of a MeshConfig. */
  readonly mesh?: string;
  /** Environment variables of istiod, for its features. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A stream of a client, as istiod reports it. */
interface IstiodClient {
  readonly node: string;
  readonly address: string;
  /** By type URL. */
  readonly watches: Readonly<Record<string, IstiodWatch>>;
}

/** A subscription. */
interface IstiodWatch {
  readonly wildcard: boolean;
  readonly names: readonly string[] | null;
  /** The nonces of the last response and of the last acknowledged one. */
  readonly sent: string;
  readonly acked: string;
  /** The error of the last NACK that was not followed by an ACK. */
  readonly error: string;
}

/** A response to a command. */
interface Response {
  readonly done?: readonly string[];
  readonly clients?: readonly IstiodClient[];
  readonly error?: string;
}

/** A running process and its control connection. */
interface Run {
  readonly program: Program;
  readonly control: ControlSocket;
  readonly addresses: { readonly plain: string; readonly tls: string; readonly root: string };
}

/** An istiod, which can be stopped and started again. */
export class Istiod implements AsyncDisposable {
  readonly #folder = tempDir("istiod-");
  readonly #options: IstiodOptions;
  #run: Run | null = null;
  #addresses: Run["addresses"] | null = null;

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

  /** `host:port` of xDS without TLS and authentication. */
  get plain(): string {
    return this.#known.plain;
  }

  /** `host:port` of xDS and the CA over TLS, for clients with a token. */
  get secure(): string {
    return this.#known.tls;
  }

  /** The file with the root certificate of the secure port and of the workloads. */
  get rootFile(): string {
    return this.#known.root;
  }

  /** Creates or replaces objects. Returns their keys, such as `Pod/app/web`. */
  async apply(yaml: string): Promise<readonly string[]> {
    return (await this.#send({ do: "apply", yaml })).done ?? [];
  }

  /** Deletes objects, which need only kind, namespace and name. Returns their keys. */
  async delete(yaml: string): Promise<readonly string[]> {
    return (await this.#send({ do: "delete", yaml })).done ?? [];
  }

  /** Returns the keys of all objects. */
  async objects(): Promise<readonly string[]> {
    return (await this.#send({ do: "objects" })).done ?? [];
  }

  /** Returns all streams. */
  async clients(): Promise<readonly IstiodClient[]> {
    return (await this.#send({ do: "clients" })).clients ?? [];
  }

  /** Closes all streams, as istiod does to rebalance its clients. Returns their number. */
  async drop(): Promise<number> {
    return (await this.#send({ do: "drop" })).done?.length ?? 0;
  }

  /** Kills the process. The objects stay. */
  async stop(): Promise<void> {
    const running = this.#run;
    this.#run = null;
    if (running === null) return;
    running.control[Symbol.dispose]();
    await running.program[Symbol.asyncDispose]();
  }

  /** Starts it again after {@link stop} with the same ports, root and objects, apart from these changes. */
  async restart(changes: { readonly applied?: string; readonly deleted?: readonly string[] } = {}): Promise<void> {
    const { applied, deleted = [] } = changes;
    // The names of files in `api_server.go`.
    for (const key of deleted) Deno.removeSync(`${this.#folder.path}/objects/${key.replaceAll("/", "_")}.json`);
    await this.#begin(applied === undefined ? [] : [this.#folder.write("applied.yaml", applied)]);
  }

  /** The output of the current process. */
  get printed(): readonly string[] {
    return this.#run?.program.printed ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.#folder[Symbol.dispose]();
  }

  get #known(): Run["addresses"] {
    if (this.#addresses === null) throw new Error("istiod has not started");
    return this.#addresses;
  }

  async #begin(objects: readonly string[]): Promise<void> {
    const { hostname = "127.0.0.1", debounce, maxAge, mesh, env, namespace } = this.#options;
    const control = `${this.#folder.path}/control`;
    if (existsSync(control)) Deno.removeSync(control);
    const flags = [`-state=${this.#folder.path}`, `-control=${control}`];
    flags.push(
      `-plain=${this.#addresses?.plain ?? `${hostname}:0`}`,
      `-tls=${this.#addresses?.tls ?? `${hostname}:0`}`,
    );
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
      this.#run = { program, control: await ControlSocket.connect(control, "istiod"), addresses: JSON.parse(line) };
      this.#addresses = this.#run.addresses;
    } catch (error) {
      await program[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #send(command: { readonly do: string; readonly yaml?: string }): Promise<Response> {
    if (this.#run === null) throw new Error("istiod does not run");
    const response = await this.#run.control.send<Response>(command);
    if (response.error !== undefined) throw new Error(`istiod refused ${command.do}: ${response.error}`);
    return response;
  }
}

/** Returns whether istiod is built. */
export function hasIstiod(): boolean {
  return ISTIOD.isBuilt;
}

/** Registers a test that needs istiod; otherwise as `testNeeding`. */
export function testWithIstiod(needs: Needs, name: string, fn: (t: Deno.TestContext) => void | Promise<void>): void {
  Deno.test(plan([...lacks(needs), ...ISTIOD.lacks()], name, fn, Deno.env.get("CI") === "true"));
}

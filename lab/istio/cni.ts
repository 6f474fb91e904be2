/** A real node agent of Istio (`tests/peers/cni`) as a process: it writes rules into pods and hands pods to proxies. */
import { BuiltPeer } from "./built_peer.ts";
import { ControlSocket } from "../control_socket.ts";
import { ISTIOD } from "./istiod.ts";
import { lacks, type Needs, plan } from "../needs.ts";
import { Program } from "../program.ts";
import { tempDir } from "../temp_dir.ts";

const CNI = new BuiltPeer("cni");

export interface CniOptions {
  /** The node's network namespace. */
  readonly namespace: string;
  readonly rules: "iptables" | "nftables";
  /** DNS is captured. Default: true, as in Istio. */
  readonly dns?: boolean;
}

export interface CniPod {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Path of its network namespace; empty: the agent does not find it. */
  readonly netns: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Answer {
  readonly pods?: Readonly<Record<string, boolean>>;
  readonly error?: string;
}

interface Life {
  readonly program: Program;
  readonly control: ControlSocket;
}

export class CniAgent implements AsyncDisposable {
  readonly #folder = tempDir("cni-");
  readonly #options: CniOptions;
  #life: Life | null = null;

  constructor(options: CniOptions) {
    this.#options = options;
  }

  /** For `INPOD_UDS`. */
  get socket(): string {
    return `${this.#folder.path}/zds`;
  }

  /**
   * An agent's start: of the `pods` that are in the mesh already it checks the rules, then it awaits proxies. After
   * {@link kill} it is another process, which knows of these pods only.
   */
  async start(pods: readonly CniPod[] = []): Promise<void> {
    const { namespace, rules, dns = true } = this.#options;
    const path = `${this.#folder.path}/control-${crypto.randomUUID()}`;
    const args = [`-socket=${this.socket}`, `-control=${path}`, `-rules=${rules}`, `-dns=${dns}`];
    const program = new Program(CNI.path, { args, namespace });
    try {
      await program.line(/^awaiting commands$/);
      this.#life = { program, control: await ControlSocket.connect(path, "the node agent") };
      const error = await this.#ask({ do: "start", pods });
      if (error !== "") throw new Error(`the node agent did not start: ${error}`);
    } catch (error) {
      await program[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A pod comes into the mesh: rules, then the proxy. The agent's error, "" for success. */
  add(pod: CniPod): Promise<string> {
    return this.#ask({ do: "add", pod });
  }

  /** A running pod leaves the mesh, with its rules. */
  release(pod: CniPod): Promise<string> {
    return this.#ask({ do: "remove", pod, ended: false });
  }

  /** A pod has ended: its namespace stays as it is. */
  forget(pod: CniPod): Promise<string> {
    return this.#ask({ do: "remove", pod, ended: true });
  }

  /** What the next proxy to connect is told: uids, with whether the namespace is known. */
  async pods(): Promise<Readonly<Record<string, boolean>>> {
    return (await this.#living.control.ask<Answer>({ do: "pods" })).pods ?? {};
  }

  /** The first line of this life's log, past or future, that matches. */
  line(pattern: RegExp): Promise<RegExpMatchArray> {
    return this.#living.program.line(pattern);
  }

  /** Ends the process without a word to anybody. Its socket file stays. */
  async kill(): Promise<void> {
    const life = this.#life;
    this.#life = null;
    if (life === null) return;
    await life.program[Symbol.asyncDispose]();
    life.control[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#folder[Symbol.dispose]();
  }

  get #living(): Life {
    if (this.#life === null) throw new Error("the node agent does not run");
    return this.#life;
  }

  async #ask(command: { readonly do: string } & Readonly<Record<string, unknown>>): Promise<string> {
    return (await this.#living.control.ask<Answer>(command)).error ?? "";
  }
}

/** Whether the node agent and istiod are built, by `deno task interop:cni`. */
export function hasCni(): boolean {
  return CNI.isBuilt && ISTIOD.isBuilt;
}

/** Registers a test that needs the node agent, and istiod too. Otherwise as `testNeeding`. */
export function testWithCni(needs: Needs, name: string, fn: (t: Deno.TestContext) => void | Promise<void>): void {
  const missing = [...lacks(needs), ...CNI.lacks(), ...ISTIOD.lacks()];
  Deno.test(plan(missing, name, fn, Deno.env.get("CI") === "true"));
}

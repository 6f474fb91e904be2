/** Runs the node agent of Istio (`tests/peers/cni`), which installs rules in pods and passes pods to proxies. */
import { BuiltPeer } from "./built_peer.ts";
import { ControlSocket } from "../control_socket.ts";
import { ISTIOD } from "./istiod.ts";
import { lacks, type Needs, plan } from "../needs.ts";
import { Program } from "../program.ts";
import { tempDir } from "../temp_dir.ts";

const CNI = new BuiltPeer("cni");

/** Settings of an agent. */
interface CniOptions {
  /** The node's network namespace. */
  readonly namespace: string;
  readonly rules: "iptables" | "nftables";
  /** DNS is captured. Default: true, as in Istio. */
  readonly dns?: boolean;
}

/** A pod as the agent gets it. */
export interface CniPod {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** The path of its network namespace; empty: the agent does not find it. */
  readonly netns: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A response to a command. */
interface Response {
  readonly pods?: Readonly<Record<string, boolean>>;
  readonly error?: string;
}

/** A running process and its control connection. */
interface Run {
  readonly program: Program;
  readonly control: ControlSocket;
}

/** An agent, which can be killed and started again. */
export class CniAgent implements AsyncDisposable {
  readonly #folder = tempDir("cni-");
  readonly #options: CniOptions;
  #run: Run | null = null;

  constructor(options: CniOptions) {
    this.#options = options;
  }

  /** The socket, for `INPOD_UDS`. */
  get socket(): string {
    return `${this.#folder.path}/zds`;
  }

  /**
   * Starts the agent, which checks the rules of `pods`, which are in the mesh already, and then waits for proxies. After
   * {@link kill} this starts another process that has only these pods.
   */
  async start(pods: readonly CniPod[] = []): Promise<void> {
    const { namespace, rules, dns = true } = this.#options;
    const path = `${this.#folder.path}/control-${crypto.randomUUID()}`;
    const args = [`-socket=${this.socket}`, `-control=${path}`, `-rules=${rules}`, `-dns=${dns}`];
    const program = new Program(CNI.path, { args, namespace });
    try {
      await program.line(/^awaiting commands$/);
      this.#run = { program, control: await ControlSocket.connect(path, "the node agent") };
      const error = await this.#send({ do: "start", pods });
      if (error !== "") throw new Error(`the node agent did not start: ${error}`);
    } catch (error) {
      await program[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Adds a pod to the mesh: installs its rules and passes it to the proxy. Returns the error, "" for success. */
  add(pod: CniPod): Promise<string> {
    return this.#send({ do: "add", pod });
  }

  /** Removes a running pod from the mesh and deletes its rules. */
  release(pod: CniPod): Promise<string> {
    return this.#send({ do: "remove", pod, ended: false });
  }

  /** Reports that a pod has ended; its namespace is not changed. */
  end(pod: CniPod): Promise<string> {
    return this.#send({ do: "remove", pod, ended: true });
  }

  /** Returns the uids that the next proxy will get, with whether their namespace is known. */
  async pods(): Promise<Readonly<Record<string, boolean>>> {
    return (await this.#current.control.send<Response>({ do: "pods" })).pods ?? {};
  }

  /** Returns the first matching line of the log of this process, past or future. */
  line(pattern: RegExp): Promise<RegExpMatchArray> {
    return this.#current.program.line(pattern);
  }

  /** Kills the process. Its socket file stays. */
  async kill(): Promise<void> {
    const running = this.#run;
    this.#run = null;
    if (running === null) return;
    await running.program[Symbol.asyncDispose]();
    running.control[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#folder[Symbol.dispose]();
  }

  get #current(): Run {
    if (this.#run === null) throw new Error("the node agent does not run");
    return this.#run;
  }

  async #send(command: { readonly do: string } & Readonly<Record<string, unknown>>): Promise<string> {
    return (await this.#current.control.send<Response>(command)).error ?? "";
  }
}

/** Returns whether the node agent and istiod are built (`deno task interop:cni`). */
export function hasCni(): boolean {
  return CNI.isBuilt && ISTIOD.isBuilt;
}

/** Registers a test that needs the node agent and istiod; otherwise as `testNeeding`. */
export function testWithCni(needs: Needs, name: string, fn: (t: Deno.TestContext) => void | Promise<void>): void {
  const missing = [...lacks(needs), ...CNI.lacks(), ...ISTIOD.lacks()];
  Deno.test(plan(missing, name, fn, Deno.env.get("CI") === "true"));
}

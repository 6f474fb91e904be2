/**
 * Real applications through the mesh: what a client prints through two proxies must equal what it prints in the server's
 * own pod, where its connections pass no proxy. `application_routes.ts` says between which proxies.
 */
import { strict as assert } from "node:assert";
import type { CommandName } from "../lab/commands.ts";
import type { LogLine } from "../lab/log_line.ts";
import type { Namespace } from "../lab/namespace.ts";
import { eventually } from "../lab/eventually.ts";
import { Program, type ProgramOptions } from "../lab/program.ts";
import type { Proxy } from "../lab/proxy.ts";

/** Two pods, and the proxies between them. */
export interface AppPods extends AsyncDisposable {
  readonly client: Namespace;
  readonly server: Namespace;
  /** Address of the server's pod. */
  readonly ip: string;
  /** A folder that is removed with the pods. */
  readonly folder: string;
  /** The namespace of the client's node, whose device `eth0` leads to the other node; none where pods have no nodes. */
  readonly wire?: Namespace;
  /** Of the client's side, then of the server's side. */
  readonly proxies: readonly Proxy[];
}

/** An application and the check that it works through the mesh as it does without it. */
export interface Application {
  readonly name: string;
  /** Commands that the check starts. */
  readonly packages: readonly CommandName[];
  readonly check: (run: AppRun) => Promise<void>;
  /** Its clients may close connections with unread data, which resets them. A Rust ztunnel logs that as an error. */
  readonly mayReset?: true;
}

/** One check of one application: its programs end with it. */
export class AppRun implements AsyncDisposable {
  readonly client: Namespace;
  readonly server: Namespace;
  readonly ip: string;
  /** For files of this application alone. */
  readonly folder: string;
  readonly #programs = new AsyncDisposableStack();

  constructor({ client, server, ip, folder }: AppPods) {
    this.client = client;
    this.server = server;
    this.ip = ip;
    this.folder = Deno.makeTempDirSync({ dir: folder });
  }

  /** Starts a program in the server's pod and waits until it prints `ready`. */
  async serve(command: string, args: readonly string[], ready: RegExp): Promise<Program> {
    const program = this.start(this.server, command, args);
    await program.line(ready);
    return program;
  }

  start(where: Namespace, command: string, args: readonly string[], options: ProgramOptions = {}): Program {
    return this.use(new Program(command, { ...options, args, namespace: where.name }));
  }

  use(program: Program): Program {
    return this.#programs.use(program);
  }

  /** Runs `script` with `sh` in the client's pod and in the server's; returns what it printed, which must be equal. */
  async same(script: string, comparable: (output: string) => string = (output) => output): Promise<string> {
    const direct = comparable(await this.server.run("sh", "-ec", script));
    const mesh = comparable(await this.client.run("sh", "-ec", script));
    assert.equal(mesh, direct, `through the mesh it differs: ${script}`);
    return mesh;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#programs.disposeAsync();
  }
}

/** Runs the application's check. Fails as well when a proxy meanwhile logs a warning or an error. */
export async function checkApplication(pods: AppPods, { check, mayReset }: Application): Promise<void> {
  const before = pods.proxies.map(({ lines }) => lines.length);
  {
    await using run = new AppRun(pods);
    await check(run);
  }
  const added = () => pods.proxies.map(({ lines }, i) => lines.slice(before[i]));
  const tunnelled = ({ scope, fields }: LogLine) => scope === "access" && fields.has("dst.hbone_addr");
  await eventually("a tunnel between the proxies", () => added().every((lines) => lines.some(tunnelled)));
  const complaints = added().flat().filter((line) => isComplaint(line) && !(mayReset && isOfReset(line)));
  assert.deepEqual(complaints.map(textOf), []);
}

/** A line of the access log is one when the connection failed; its level says nothing about that. */
function isComplaint({ level, scope, fields }: LogLine): boolean {
  return scope === "access" ? fields.has("error") : ["warn", "error"].includes(level.toLowerCase());
}

/** A Rust ztunnel has received RST_STREAM(CONNECT_ERROR). */
const isOfReset = ({ fields }: LogLine) =>
  /CONNECT request was reset or abnormally closed/.test(fields.get("error") ?? "");

function textOf({ level, scope, message, words }: LogLine): string {
  return [level, scope, message, ...words].join(" ");
}

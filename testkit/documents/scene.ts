/** Where the commands of the pages run: a network namespace in which a proxy has the ports that the pages name. */
import { inheritedEnvironment } from "../../lab/environment.ts";
import { makeNamespace, type Namespace } from "../../lab/namespace.ts";
import { type Ended, Program } from "../../lab/program.ts";
import { Proxy } from "../../lab/proxy.ts";
import { caFiles } from "../../lab/settings.ts";
import { type TempDir, tempDir } from "../../lab/temp_dir.ts";

const MESH = "tests/fixtures/docs_mesh.yaml";
/** Files that commands of the pages read, and what they are a copy of. */
const FILES = { "node1.json": "golden/config_dump-node1.json", "deny.yaml": "docs_deny.yaml" } as const;

/** Two proxies of the mesh in `tests/fixtures/docs_mesh.yaml`, or an empty namespace. */
export class DocsScene implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #namespace: Namespace;
  readonly #folder: TempDir;
  readonly #background: Program[] = [];

  private constructor(stack: AsyncDisposableStack, namespace: Namespace, folder: TempDir) {
    this.#stack = stack;
    this.#namespace = namespace;
    this.#folder = folder;
  }

  /** `root`: the folder of the project. `content`: `mesh` starts the proxies, and two requests from one to the other. */
  static async start(root: string, content: "mesh" | "empty"): Promise<DocsScene> {
    await using stack = new AsyncDisposableStack();
    const namespace = stack.use(await makeNamespace("docs"));
    const folder = stack.use(tempDir());
    makePrograms(root, folder);
    Deno.symlinkSync(`${root}deploy`, `${folder.path}/deploy`);
    for (const [name, fixture] of Object.entries(FILES)) {
      Deno.copyFileSync(`${root}tests/fixtures/${fixture}`, `${folder.path}/${name}`);
    }
    const scene = new DocsScene(stack.move(), namespace, folder);
    if (content === "mesh") await scene.#startMesh();
    return scene;
  }

  /** Runs a script by bash; the first command that fails ends it. */
  async run(script: string): Promise<Ended> {
    await using program = this.#bash(script);
    return await program.ended();
  }

  /** Starts a script that runs until the end of the scene. */
  inBackground(script: string): void {
    this.#background.push(this.#stack.use(this.#bash(script)));
  }

  /** The last lines of the programs in the background, for errors. */
  get backgroundOutput(): string {
    return this.#background.flatMap(({ printed }) => printed.slice(-10)).join("\n");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  #bash(script: string): Program {
    const { path } = this.#folder;
    return new Program("bash", {
      args: ["-euo", "pipefail", "-c", script],
      cwd: path,
      namespace: this.#namespace.name,
      env: { ...inheritedEnvironment(), HOME: path, PATH: `${path}/bin:${Deno.env.get("PATH") ?? ""}` },
    });
  }

  async #startMesh(): Promise<void> {
    const node2 = { ADMIN_PORT: "25000", STATS_PORT: "25020", READINESS_PORT: "25021", SOCKS5_PORT: "25080" };
    await this.#startProxy("stock", "node2", "127.0.0.2", { ...node2, ISTIO_META_DNS_CAPTURE: "false" });
    await this.#startProxy("cart", "node1", "127.0.0.1", {});
    this.inBackground("exec python3 -m http.server 8080 --bind 127.0.0.2 --directory deploy");
    const request = "curl -sS --retry 30 --retry-all-errors --retry-delay 1 -x socks5://127.0.0.1:15080";
    const { code, output } = await this.run(`${request} -o /dev/null http://10.96.0.5/`);
    if (code !== 0) throw new Error(`the request through the proxies failed: ${output}`);
    // Only port 8080 is allowed.
    await this.run("curl -sS -x socks5://127.0.0.1:15080 http://127.0.0.2:9090/");
  }

  async #startProxy(name: string, node: string, ip: string, more: Readonly<Record<string, string>>): Promise<void> {
    this.#stack.use(
      await Proxy.ready({
        PROXY_MODE: "dedicated",
        PROXY_WORKLOAD_INFO: `shop/${name}/${name}`,
        NODE_NAME: node,
        BIND_ADDRESS: ip,
        XDS_ADDRESS: "",
        LOCAL_XDS_PATH: MESH,
        FAKE_CA: "true",
        ...caFiles(this.#folder.path),
        ENABLE_ORIG_SRC: "false",
        UNSTABLE_ENABLE_SOCKS5: "true",
        ...more,
      }, { namespace: this.#namespace.name }),
    );
  }
}

/** Programs with the names that the pages use. `observe` would follow for ever, so it ends behind the last events. */
function makePrograms(root: string, folder: TempDir): void {
  // The home folder of the commands is another one, but the runtime's cache is that of this process.
  const deno = `HOME=${Deno.env.get("HOME") ?? "/"} exec ${Deno.execPath()}`;
  Deno.mkdirSync(`${folder.path}/bin`);
  const make = (name: string, ...lines: string[]) => {
    Deno.writeTextFileSync(`${folder.path}/bin/${name}`, ["#!/bin/bash", ...lines, ""].join("\n"), { mode: 0o755 });
  };
  make(
    "ztunnel",
    `if [ "$1" = observe ]; then set -- "$@" --no-follow; fi`,
    `${deno} run --no-prompt -A --config ${root}deno.json ${root}main.ts "$@"`,
  );
  make("npx", `[ "$1 $2" = "-y deno@2.9.6" ] || exit 9`, `cd ${root} && ${deno} "\${@:3}"`);
}

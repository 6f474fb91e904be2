/** Servers and clients in the pods, which are not aware of the mesh. */
import type { Namespace } from "../namespace.ts";
import { Program } from "../program.ts";
import type { Cluster } from "./cluster.ts";
import { HTTP } from "./mesh.ts";

/** The port of iperf3. */
export const BULK = 5201;

/** The owner of started programs, which end with it. */
export type Stage = Pick<Cluster, "folder" | "use">;

/** Starts nginx, which responds to every request with its name and the client's address. */
export async function nginx(cluster: Stage, namespace: Namespace, name: string): Promise<Program> {
  const home = `${cluster.folder}/nginx-${name}`;
  Deno.mkdirSync(home);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((each) => `${each}_temp_path ${home};`);
  Deno.writeTextFileSync(
    `${home}/nginx.conf`,
    `daemon off; master_process off; user root; pid ${home}/pid; error_log stderr notice;
     events { worker_connections 4096; }
     http { access_log off; keepalive_requests 1000000; ${temporary.join(" ")}
       server { listen ${HTTP} backlog=4096; listen [::]:${HTTP} backlog=4096;
         location / { return 200 "${name} from $remote_addr\\n"; } } }`,
  );
  const args = ["-e", "stderr", "-c", `${home}/nginx.conf`];
  const program = cluster.use(new Program("nginx", { args, namespace: namespace.name }));
  await program.line(/using the "epoll" event method/); // it listens by then
  return program;
}

/** Starts an iperf3 server. */
export async function iperf(cluster: Stage, namespace: Namespace, port = BULK): Promise<Program> {
  const args = ["--server", "--forceflush", "--port", `${port}`];
  const program = cluster.use(new Program("iperf3", { args, namespace: namespace.name }));
  await program.line(/Server listening/);
  return program;
}

/** Returns the body of a response. `host`: as in a URL. */
export async function get(from: Namespace, host: string, port: number = HTTP): Promise<string> {
  return (await from.run("curl", "-sS", "--max-time", "20", `http://${host}:${port}/`)).trimEnd();
}

/** Returns the exit code of curl for a request. */
export async function failure(from: Namespace, host: string, port: number = HTTP): Promise<number> {
  await using program = new Program("curl", {
    args: ["-sS", "--max-time", "20", `http://${host}:${port}/`],
    namespace: from.name,
  });
  return (await program.ended()).code;
}

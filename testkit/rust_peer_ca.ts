/** A scripted Istio CA for tests with two nodes: it runs in the test's process, its port is outside of the mesh. */
import { issueFor, pem, ScriptedCa, WORKLOAD_ROOT } from "../src/authorities/testkit/istio_ca.ts";
import { ROOT_PEM } from "../src/grpc/testkit/server.ts";
import type { Cluster } from "../lab/bed/cluster.ts";
import type { Namespace } from "../lab/namespace.ts";
import type { Program } from "../lab/program.ts";
import { Proxy } from "../lab/proxy.ts";

/** Passes connections from the port to the CA's Unix socket. */
export const RELAY = "tests/fixtures/unix_relay.ts";
const PORT = 15012;
/** The name in the server's certificate. */
const NAME = "localhost";
/** Short, since all clocks are the same: a proxy renews certificates that are dated back further too often (observed O10). */
const BACKDATED_MS = 1000;

/** Starts a CA that issues every requested certificate, until the cluster ends. */
export async function serveCa(cluster: Cluster): Promise<ScriptedCa> {
  const path = `${cluster.folder}/ca.sock`;
  const ca = cluster.use(await startCa(path));
  cluster.use(await relayCa(path, cluster.outside.namespace, cluster.outside.ip));
  return ca;
}

/** Starts such a CA at a Unix socket. */
export async function startCa(path: string): Promise<ScriptedCa> {
  const ca = await ScriptedCa.start(undefined, { path });
  ca.respond = (
    call,
  ) => [pem(issueFor(call, { notBefore: Date.now() - BACKDATED_MS })), pem(WORKLOAD_ROOT.certificate)];
  return ca;
}

/** Makes the CA at the Unix socket `path` reachable at an address of a namespace. */
export async function relayCa(path: string, { name }: Namespace, ip: string): Promise<Program> {
  const relay = Proxy.fixture(RELAY, [ip, `${PORT}`, path], name);
  await relay.line(/listening/);
  return relay;
}

/** Environment variables of a proxy that uses this CA. */
export const caSettings = ({ folder, outside }: Cluster) => caSettingsAt(outside.ip, folder);

/** The same for a CA at `ip`. The file of its root is written to `folder`. */
export function caSettingsAt(ip: string, folder: string): Record<string, string> {
  const root = `${folder}/ca-root.pem`;
  Deno.writeTextFileSync(root, ROOT_PEM);
  return {
    FAKE_CA: "false",
    CA_ADDRESS: `https://${ip}:${PORT}`,
    CA_ROOT_CA: root,
    ALT_CA_HOSTNAME: NAME,
    AUTH_TOKEN: "the-token-of-the-node",
  };
}
